"""RequestBody: base of the models of request bodies. Each endpoint that takes a body has one."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import ConfigDict, WithJsonSchema

from server.http.fields import Fields, preview
from slots.requests.params import Params, Takes

JsonObject = Annotated[dict[str, Any], Takes("an object"), WithJsonSchema({"type": "object"})]


class RequestBody(Params):
    """A JSON object. Unknown members are ignored, and a member that is null counts as absent."""

    # Each model is compiled for the first body that it reads, and not for all dialects at the start.
    model_config = ConfigDict(extra="ignore", defer_build=True)
    alternatives: ClassVar[frozenset[str]] = frozenset()
    """Fields of which a body that has one gets no default for the others."""

    @classmethod
    def parse(cls, fields: Fields, context: object = None, defaults: Params | None = None) -> Self:
        """Returns what a body says. For what it leaves out, it gets what `defaults` was constructed with, then the
        defaults of its class. Validators find `context` in their info.

        Raises InvalidRequest for the first field that is wrong, under the name by which the body has it.
        """
        present = {name: value for name, value in fields.items() if value is not None}
        body = cls.model_validate(present, context=context)
        if defaults is not None:
            missing = defaults.model_fields_set - body.model_fields_set
            if body.model_fields_set & cls.alternatives:
                missing -= cls.alternatives
            body.__dict__.update({name: defaults.__dict__[name] for name in missing})
        return body

    def replace(self, **changes: Any) -> Self:  # noqa: ANN401 - as the fields are
        """Returns a copy with other values, which are not validated."""
        return self.model_copy(update=changes)

    @classmethod
    def preview(cls, value: object) -> str:
        return preview(value)
