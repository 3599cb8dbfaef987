"""The option `response_fields`: a result with only the fields that were asked for."""

from collections.abc import Mapping, Sequence

Result = Mapping[str, object]


def only_fields(paths: Sequence[str], result: Result) -> Result:
    """Returns what `result` has at each path, by the whole path: `a/b` is the field `b` of the object `a`. A path that
    leads nowhere is left out; no paths at all ask for everything."""
    if not paths:
        return result
    return {path: value for path in paths for value in _at(path, result)}


def _at(path: str, result: Result) -> list[object]:
    value: object = result
    for name in path.split("/"):
        if not isinstance(value, dict) or name not in value:
            return []
        value = value[name]
    return [value]
