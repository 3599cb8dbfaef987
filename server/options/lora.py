"""LoRA options of a request: the adapters that it wants, by their ids and scales or by a name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema

from server.http.errors import ApiError
from server.http.fields import as_integer, as_number, invalid_value
from server.http.request_model import RequestBody
from slots.errors import InvalidRequest
from slots.requests.adapters import AdapterSet
from slots.requests.params import Takes

if TYPE_CHECKING:
    from slots.engine import Engine
    from slots.engine.adapters import Adapter

SHAPE = "a list of objects with id and scale"
SCALES_SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "scale": {"type": "number"}},
        "required": ["id", "scale"],
    },
}
MODEL = "name of a LoRA adapter, alone or after the model's name and a colon; any other name stands for the model"
ModelName = Annotated[Any, Takes("a string"), WithJsonSchema({"type": "string"})]
LATEST = ":latest"
"""Ollama's clients put it behind names that have no other tag."""

Scales = tuple[tuple[int, float], ...]
"""Ids of adapters with their scales."""


def read_scales(name: str, value: object) -> Scales:
    """Returns the ids and scales of a list. Raises InvalidRequest, which names the item, for any other shape and for an
    id that is given twice."""
    if not isinstance(value, list):
        raise invalid_value(name, SHAPE, value)
    scales: dict[int, float] = {}
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise invalid_value(f"{name}[{index}]", "an object with id and scale", item)
        number = as_integer(f"{name}[{index}].id", item.get("id"))
        if number in scales:
            raise invalid_value(f"{name}[{index}].id", "each id once", number)
        scales[number] = as_number(f"{name}[{index}].scale", item.get("scale"))
    return tuple(scales.items())


def _read_lora(value: object, info: "ValidationInfo[Engine]") -> Scales:
    scales = value if isinstance(value, tuple) else read_scales("lora", value)
    if scales:
        info.context.adapters.make_set("lora", scales)
    return scales


LoraOption = Annotated[Scales, Takes(SHAPE), PlainValidator(_read_lora), WithJsonSchema(SCALES_SCHEMA)]
"""Validated with the engine as context: unknown ids are refused."""


def find_adapter(model: object, engine: "Engine", model_names: Sequence[str]) -> "Adapter | None":
    """Returns the adapter that a model's name means, its own or `base:adapter`; None for the base model, and for any
    other name. Raises AdapterNotFound for an adapter that was unloaded, and ApiError (404) for `base:adapter` without
    such an adapter, if there are any."""
    if not isinstance(model, str) or model in model_names or not engine.adapters.has_had_any:
        return None
    model = model.removesuffix(LATEST)
    if adapter := engine.adapters.find(model):
        return adapter
    base, _, name = model.rpartition(":")
    if base not in model_names:
        return None
    if adapter := engine.adapters.find(name):
        return adapter
    names = " or ".join(known.name for known in engine.adapters.loaded) or "no adapter, since none is loaded"
    raise ApiError(404, f"model: expected {names} after {base}:, got {name}", field="model")


def adapters_json(adapters: AdapterSet) -> list[dict[str, object]]:
    """Returns a set as requests spell it."""
    return [{"id": number, "scale": scale} for number, scale in adapters.scales]


class AdapterOptions(RequestBody):
    """The options of a body that say which adapters it wants. Bodies are parsed with the engine as context."""

    lora: LoraOption = Field(
        (), description="LoRA adapters by id, each with its scale; [] = those that the server applies"
    )
    model: ModelName = Field(None, description=MODEL)

    def served_name(self, engine: "Engine", model_names: Sequence[str]) -> str:
        """Returns what responses call the model: as the request does if it names an adapter, else the first of the
        model's names. Raises what `find_adapter` raises."""
        return str(self.model) if find_adapter(self.model, engine, model_names) else model_names[0]

    def choose_adapters(self, engine: "Engine", model_names: Sequence[str]) -> AdapterSet:
        """Returns the adapters that the request lists, else the one that its model's name means, else those that apply
        to all requests. Raises InvalidRequest for both of the former, and what `find_adapter` raises."""
        adapter = find_adapter(self.model, engine, model_names)
        if adapter and self.lora:
            message = f"expected none beside the name of an adapter as the model, {adapter.name}, or another model"
            raise InvalidRequest("lora", message)
        if adapter:
            return AdapterSet.of({adapter.number: adapter.scale})
        return engine.adapters.make_set("lora", self.lora) if self.lora else engine.adapters.global_set
