"""The request body of OpenAI's fine-tuning jobs."""

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from server.http.fields import invalid_value, preview
from server.http.request_model import JsonObject, RequestBody
from slots.errors import InvalidRequest
from slots.requests.params import Integer, Takes

SUPERVISED = "supervised"
JsonObjects = Annotated[
    list[dict[str, Any]],
    Takes("a list of objects"),
    WithJsonSchema({"type": "array", "items": {"type": "object"}}),
]


class FineTuningJobBody(RequestBody):
    """Body of /v1/fine_tuning/jobs."""

    model: str = Field(description="name of the model to fine-tune")
    training_file: str = Field(description="id of an uploaded file, or a URL, with prompts and responses")
    validation_file: str | None = Field(
        None, description="the same for validation; without one, a tenth of the rows of `training_file`"
    )
    hyperparameters: JsonObject = Field({}, description="how to train, see below")
    method: JsonObject = Field({}, description="how it is trained: `supervised`, with its hyperparameters")
    suffix: str | None = Field(None, description="1 to 28 letters, digits and hyphens for the new model's name")
    seed: Annotated[Integer, Takes("0 or more")] | None = Field(None, ge=0, description="of the training")
    integrations: JsonObjects = Field([], description="Weights & Biases: `type` wandb and `wandb` with `project` ...")
    metadata: JsonObject = Field({}, description="whatever is to be remembered with the job")

    @property
    def chosen_hyperparameters(self) -> dict[str, Any]:
        """The hyperparameters at either place, and the seed. Raises InvalidRequest for another method than supervised
        training."""
        kind = self.method.get("type", SUPERVISED)
        if kind != SUPERVISED:
            raise InvalidRequest("method.type", f"expected {SUPERVISED}, got {preview(kind)}")
        supervised = _read_object("method.supervised", self.method.get(SUPERVISED))
        within = _read_object("method.supervised.hyperparameters", supervised.get("hyperparameters"))
        chosen = {**self.hyperparameters, **within}
        return chosen if self.seed is None else {**chosen, "seed": self.seed}


def _read_object(name: str, value: object) -> dict[str, Any]:
    """Returns an object, which is empty if it is absent."""
    if not isinstance(value, dict | None):
        raise invalid_value(name, "an object", value)
    return value or {}
