"""The request bodies of LLM Engine's dialect."""

from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, Field

from server.http.request_model import JsonObject, RequestBody
from server.options.generation_options import GenerationOptions
from slots.requests.completion_params import StopStrings
from slots.requests.params import Boolean, Integer, Number, Takes, expected

TOP_K = "-1 or a number from 1"


def _check_top_k(top_k: int) -> int:
    if top_k == 0 or top_k < -1:
        raise expected(TOP_K)
    return top_k


class LlmEngineCompletionBody(GenerationOptions):
    """Body of /v1/llm/completions-sync and /v1/llm/completions-stream. Defaults are those of vLLM, which serves the
    models of LLM Engine: samplers that are not asked for are off."""

    prompt: str = Field(description="text to continue")
    n_predict: Annotated[Integer, Takes("0 or more")] = Field(
        20,
        ge=0,
        validation_alias=AliasChoices("max_new_tokens", "n_predict"),
        description="maximum number of tokens to generate; the prompt and they have to fit into the context",
    )
    temperature: Number = Field(
        0.2, ge=0.0, le=1.0, description="temperature; 0 = greedy, always the most likely token"
    )
    stop: StopStrings = Field(
        (), validation_alias=AliasChoices("stop_sequences", "stop"), description="strings that end the generation"
    )
    return_token_log_probs: Boolean = Field(False, description="return each token and its log probability")
    presence_penalty: Number = Field(
        0.0, ge=0.0, le=2.0, description="penalty for tokens that are among the last 64; 0 = disabled"
    )
    frequency_penalty: Number = Field(
        0.0, ge=0.0, le=2.0, description="penalty for each occurrence of a token among the last 64; 0 = disabled"
    )
    top_k: Annotated[Integer, Takes(TOP_K), AfterValidator(_check_top_k)] = Field(
        -1, description="top-k: keep the N most likely tokens; -1 = all"
    )
    top_p: Annotated[Number, Takes("a number above 0, up to 1")] = Field(
        1.0,
        gt=0.0,
        le=1.0,
        description="top-p: keep the most likely tokens until their probabilities sum up to N; 1 = disabled",
    )
    include_stop_str_in_output: Boolean = Field(
        False, description="end the text with the stop string, if it ended with one"
    )
    skip_special_tokens: Boolean = Field(True, description="leave special tokens out of the text")
    min_p: Number = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="min-p: keep tokens with at least N times the probability of the most likely one; 0 = disabled",
    )
    repeat_penalty: Number = Field(1.0, gt=0.0, description="penalty for repeated tokens; 1 = disabled")
    n: Annotated[Integer, Takes("1")] = Field(1, ge=1, le=1, description="number of texts to generate")


class ModelDownloadBody(RequestBody):
    """Body of /v1/llm/model-endpoints/download."""

    model_name: str = Field(description="name of the model")
    download_format: Annotated[Literal["hugging_face", "gguf"], Takes("hugging_face or gguf")] = Field(
        "hugging_face", description="both stand for the GGUF files that the model is served from"
    )


class FineTuneBody(RequestBody):
    """Body of /v1/llm/fine-tunes."""

    model: str = Field(description="name of the model to fine-tune")
    training_file: str = Field(description="id of an uploaded file, or a URL, with prompts and responses")
    validation_file: str | None = Field(
        None, description="the same for validation; without one, a tenth of the rows of `training_file`"
    )
    hyperparameters: JsonObject = Field({}, description="how to train, see below")
    wandb_config: JsonObject = Field({}, description="of Weights & Biases: `api_key`, `base_url`, `project` ...")
    suffix: str | None = Field(None, description="1 to 28 letters, digits and hyphens for the new model's name")
