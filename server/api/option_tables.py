"""Tables of options in the documentation, made from the models of the request bodies.

`python -m server.api.option_tables docs/*.md` fills what is between the lines `<!-- begin options: MODEL -->` and
`<!-- end options -->`, MODEL being the class of a body.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from server.api.dialects import DIALECTS
from server.api.llama.protocol import CompletionRequestBody
from server.fine_tuning.hyperparameters import Hyperparameters, LoraConfig
from server.http.request_model import RequestBody
from server.options.generation_options import GenerationOptions
from slots.requests.params import get_expected, get_spellings

MODELS = {body.__name__: body for dialect in DIALECTS for endpoint in dialect.endpoints for body in endpoint.bodies}
MODELS |= {body.__name__: body for body in (Hyperparameters, LoraConfig)}
_MARKED = re.compile(r"(<!-- begin options: (\w+) -->\n).*?(<!-- end options -->)", re.DOTALL)


def fill_tables(page: str) -> str:
    """Returns the text of a page with its tables as the code has them. Raises KeyError for an unknown model."""
    return _MARKED.sub(lambda found: f"{found[1]}{options_table(MODELS[found[2]])}{found[3]}", page)


def options_table(model: type[RequestBody]) -> str:
    """Returns the table of the fields of a model in Markdown. A model of another dialect's completions has only those
    in which it differs from /completion."""
    rows = [("Option", "Value", "Default", "Meaning"), ("---",) * 4]
    for name, field in _listed_fields(model):
        rows.append((_names(name, field), _escape(get_expected(field)), _default(field), _escape(field.description)))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _listed_fields(model: type[RequestBody]) -> Iterator[tuple[str, FieldInfo]]:
    """Yields the fields that a model itself declares first."""
    names = dict.fromkeys(name for cls in model.__mro__ for name in getattr(cls, "__annotations__", ()))
    known = CompletionRequestBody.model_fields if issubclass(model, GenerationOptions) else {}
    for name in names:
        field = model.model_fields.get(name)
        if field and (model is CompletionRequestBody or name not in known or _differs(field, known[name])):
            yield name, field


def _differs(one: FieldInfo, other: FieldInfo) -> bool:
    return (one.default, one.description) != (other.default, other.description)


def _names(name: str, field: FieldInfo) -> str:
    return ", ".join(f"`{spelling}`" for spelling in get_spellings(name, field))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default is None:
        return ""
    return f"`{_escape(orjson.dumps(field.get_default(call_default_factory=True), default=_plain).decode())}`"


def _plain(value: BaseModel) -> object:
    return value.model_dump(exclude_none=True)


def _escape(text: str | None) -> str:
    return (text or "").replace("|", "\\|")


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        page.write_text(fill_tables(page.read_text()))
