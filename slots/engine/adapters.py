"""Adapters: the LoRA adapters of an engine, as the event loop knows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from models.adapter import AdapterHeader
from slots.errors import AdapterNotFound, InvalidRequest
from slots.requests.adapters import NO_ADAPTERS, AdapterSet
from slots.requests.request import CompletionRequest

MAX_ADAPTERS = 256
_MAX_REMEMBERED = 1024
"""Names of adapters that were unloaded."""


@dataclass(frozen=True, slots=True)
class Adapter:
    number: int
    """Its id in requests, which no later one gets."""
    name: str
    scale: float
    """The scale with which its name chooses it."""
    header: AdapterHeader


class Adapters:
    """Which adapters are loaded, and which of them apply to requests that do not say. Changed on the event loop, and
    replaced as a whole, so that any thread may read it."""

    def __init__(self) -> None:
        self._by_number: Mapping[int, Adapter] = {}
        self._unloading: frozenset[int] = frozenset()
        self._global = NO_ADAPTERS
        self._unloaded_names: tuple[str, ...] = ()
        self._n_numbers = 0

    @property
    def all(self) -> list[Adapter]:
        """Returns all that are in memory, by number."""
        return list(self._by_number.values())

    @property
    def loaded(self) -> list[Adapter]:
        """Returns those that requests may use, by number."""
        return [adapter for number, adapter in self._by_number.items() if number not in self._unloading]

    @property
    def global_set(self) -> AdapterSet:
        """The set of requests that do not say which adapters they want."""
        return self._global

    @property
    def has_had_any(self) -> bool:
        return self._n_numbers > 0

    def find(self, name: str, field: str = "model") -> Adapter | None:
        """Returns the adapter of a name, which `field` of a request has. Raises AdapterNotFound for one that is being
        unloaded, or was: whoever asks for it does not want the base model's text."""
        adapter = next((known for known in self._by_number.values() if known.name == name), None)
        if adapter and adapter.number in self._unloading:
            raise AdapterNotFound(field, f"the adapter {name} is being unloaded")
        if not adapter and name in self._unloaded_names:
            raise AdapterNotFound(field, f"the adapter {name} was unloaded")
        return adapter

    def reserve_number(self) -> int:
        """Returns the number of the next adapter."""
        self._n_numbers += 1
        return self._n_numbers - 1

    def add(self, adapter: Adapter, *, is_global: bool) -> None:
        """Let requests use a loaded adapter, those that do not say as well if it `is_global`."""
        self._by_number = {**self._by_number, adapter.number: adapter}
        if is_global:
            self._global = AdapterSet.of({**dict(self._global.scales), adapter.number: adapter.scale})
        self._unloaded_names = tuple(name for name in self._unloaded_names if name != adapter.name)

    def start_unloading(self, name: str) -> Adapter:
        """Let no further request use an adapter. Raises AdapterNotFound."""
        adapter = self.find(name, "lora_name")
        if adapter is None:
            raise AdapterNotFound("lora_name", f"expected the name of a loaded adapter, got {name}")
        self._unloading |= {adapter.number}
        self._global = self._global.without(adapter.number)
        return adapter

    def remove(self, adapter: Adapter) -> None:
        """Forget an adapter that is unloaded."""
        self._by_number = {number: known for number, known in self._by_number.items() if known is not adapter}
        self._unloading -= {adapter.number}
        self._unloaded_names = (*self._unloaded_names[1 - _MAX_REMEMBERED :], adapter.name)

    def make_set(self, field: str, scales: Sequence[tuple[int, float]]) -> AdapterSet:
        """Returns the set of these numbers and scales. Raises InvalidRequest, which names an item of `field`, for a
        number that no adapter has."""
        numbers = [adapter.number for adapter in self.loaded]
        for index, (number, _) in enumerate(scales):
            if number not in numbers:
                words = f"one of {', '.join(map(str, numbers))}" if numbers else "none, since no adapter is loaded"
                raise InvalidRequest(f"{field}[{index}].id", f"expected {words}, got {number}")
        chosen = AdapterSet.of(dict(scales))
        self._check_activated(field, chosen)
        return chosen

    def names_of(self, chosen: AdapterSet) -> tuple[str, ...]:
        """Returns the names of a set's adapters, by number."""
        return tuple(self._by_number[number].name for number, _ in chosen.scales)

    def set_global(self, field: str, scales: Sequence[tuple[int, float]]) -> None:
        """Change the set of later requests that do not say; adapters that are not named are left out. Raises as
        `make_set` does."""
        self._global = self.make_set(field, scales)

    def check_global(self) -> None:
        """Raises InvalidRequest if the adapters that apply to all requests do not go together."""
        self._check_activated("lora", self._global)

    def for_embeddings(self, chosen: AdapterSet) -> AdapterSet:
        """Returns a set without activated LoRAs, which have no effect before their invocation."""
        for number, _ in chosen.scales:
            if self._by_number[number].header.invocation_tokens:
                chosen = chosen.without(number)
        return chosen

    def place(self, request: CompletionRequest) -> CompletionRequest:
        """Returns a request with what its adapters mean for its cache scope. An activated LoRA applies from the last
        occurrence of its invocation tokens in the prompt, and not at all without any. Raises InvalidRequest for an
        adapter that is not loaded any more."""
        chosen, n_base = request.adapters, 0
        if not chosen.scales:
            return request
        self.make_set("lora", chosen.scales)
        for number, _ in chosen.scales:
            tokens = self._by_number[number].header.invocation_tokens
            if tokens:
                n_base = _last_occurrence(request.prompt, tokens)
                chosen = chosen if n_base >= 0 else chosen.without(number)
        scope = replace(request.scope, adapters=self._cache_key(chosen), n_base=max(n_base, 0))
        return request.replace(adapters=chosen, scope=scope)

    def _check_activated(self, field: str, chosen: AdapterSet) -> None:
        """Raises InvalidRequest for an activated LoRA beside other adapters: they would begin at different tokens."""
        n_activated = sum(bool(self._by_number[number].header.invocation_tokens) for number, _ in chosen.scales)
        if n_activated and len(chosen.scales) > 1:
            raise InvalidRequest(field, "expected no other adapter beside an activated LoRA (aLoRA)")

    def _cache_key(self, chosen: AdapterSet) -> str:
        """Returns a text that is the same for files with the same contents, also after a restart."""
        if not chosen.scales:
            return ""
        parts = sorted((self._by_number[number].header.fingerprint, scale) for number, scale in chosen.scales)
        return blake2b(repr(parts).encode(), digest_size=16).hexdigest()


def _last_occurrence(tokens: Sequence[int], wanted: Sequence[int]) -> int:
    """Returns where some tokens begin in others for the last time; -1 if they do not."""
    n_wanted, first = len(wanted), wanted[0]
    for start in range(len(tokens) - n_wanted, -1, -1):
        if tokens[start] == first and tuple(tokens[start : start + n_wanted]) == tuple(wanted):
            return start
    return -1
