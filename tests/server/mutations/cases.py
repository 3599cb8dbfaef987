"""Cases: the requests of a run. Each follows from the seed of the run and its number alone, but for ids of a server."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote

from tests.server.mutations.damage import BROKEN, TEXTS, damage_bytes, damage_headers, damage_json, encode
from tests.server.mutations.operations import Api, Operation
from tests.server.mutations.schema_values import value_of
from tests.slots.multimodal.mutations import mutated

WEIGHT = 3
"""Of operations whose body has a model, against those that look at none."""
BOUNDARY = "a-boundary"
CSV = b"prompt,response\n" + b"What about meals?, Ask the desk.\n" * 8
RIGHT_QUERIES = {"action": ("save", "restore", "erase"), "model_endpoint_name": ("bundled",)}
"""Values of parameters in a URL, by their names."""
OTHER_QUERIES = ("true", "1", "-1", "1e9", "a", *TEXTS[:8])


@dataclass(frozen=True, slots=True)
class Case:
    number: int
    operation: Operation
    target: str
    """Path and query."""
    headers: dict[str, str]
    body: bytes

    def __str__(self) -> str:
        return f"case {self.number}: {self.operation.method} {self.target} {self.headers} {self.body[:3000]!r}"


@dataclass(frozen=True, slots=True)
class CaseMaker:
    api: Api
    bodies: dict[str, Sequence[Any]]
    """Right ones, by the name of a schema or by a path."""
    seed: int
    ids: list[str] = field(default_factory=list)
    """Of what the server has, for paths."""
    turns: list[Operation] = field(default_factory=list)

    def __post_init__(self) -> None:
        for operation in self.api.operations:
            if operation.takes_body:
                self.turns.extend([operation] * (WEIGHT if operation.bodies else 1))

    def make(self, number: int) -> Case:
        """Returns a request with a body, which is damaged in most cases, to an operation; all have their turn."""
        rng = Random(f"{self.seed}-{number}")
        operation = self.turns[number % len(self.turns)] if rng.random() < 0.95 else rng.choice(self.api.operations)
        headers, body = self._body(operation, rng)
        if rng.random() < 0.1:
            headers, body = damage_headers(headers, body, rng)
        return Case(number, operation, self._target(operation, rng), headers, body)

    def _body(self, operation: Operation, rng: Random) -> tuple[dict[str, str], bytes]:
        if operation.form:
            body = _form(operation, rng)
            body = mutated(body, rng) if rng.random() < 0.7 else body
            return {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}, body
        if not operation.takes_body:
            return {}, b""
        value = self._right_body(operation, rng)
        chance = rng.random()
        if chance > 0.15:
            value = damage_json(value, rng)
        encoded = encode(value)
        if chance > 0.85:
            encoded = damage_bytes(encoded, rng)
        return {"Content-Type": "application/json"}, encoded

    def _right_body(self, operation: Operation, rng: Random) -> Any:
        """Returns a body, often with more of the members that its schema has."""
        if not operation.bodies:
            return copy.deepcopy(rng.choice(self.bodies.get(operation.path, [{"model": "bundled"}])))
        name = rng.choice(operation.bodies)
        schema = self.api.schemas[name]
        known = self.bodies.get(name)
        if known is None:  # nobody has written one for this endpoint yet
            return value_of(schema, self.api.schemas, rng)
        body = copy.deepcopy(rng.choice(known))
        for _ in range(rng.choice((0, 0, 1, 2))):
            member = rng.choice(list(schema["properties"]))
            body[member] = value_of(schema["properties"][member], self.api.schemas, rng)
        if "stream" in schema["properties"] and rng.random() < 0.3:
            body["stream"] = rng.random() < 0.7
        return body

    def _target(self, operation: Operation, rng: Random) -> str:
        path = operation.path
        for name in operation.path_parameters:
            text = rng.choice((*self.ids[-4:], "0", "1", "2", "bundled", rng.choice(TEXTS)[:2000]))
            path = path.replace(f"{{{name}}}", quote(text, safe="/" if rng.random() < 0.2 else ""))
        values = []
        for name in operation.query:
            right = RIGHT_QUERIES.get(name)
            text = rng.choice(right if right and rng.random() < 0.9 else OTHER_QUERIES)
            values.append(f"{name}={quote(text)}")
        return path + ("?" + "&".join(values) if values and rng.random() < 0.95 else "")


def _form(operation: Operation, rng: Random) -> bytes:
    file, *others = operation.form
    content = rng.choice((CSV, b'{"messages": [{"role": "user", "content": "a"}]}\n', *BROKEN))
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{file}"; filename="a.csv"\r\n\r\n'.encode()
    parts = [head + content]
    for name in others:
        parts.append(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\nfine-tune'.encode())
    return b"\r\n".join(parts) + f"\r\n--{BOUNDARY}--\r\n".encode()
