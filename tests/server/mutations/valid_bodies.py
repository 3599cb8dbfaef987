"""A few right bodies for each model of a body, with pictures, sounds, tools and grammars where it takes some."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.server.http_client import STORY, Json
from tests.slots.multimodal.media_files import BLUE, RED, data_url, encoded, gif, jpeg, mp3, png, wav

FEW = 3
"""Tokens that each answer has, unless a mutation changes it."""
WEATHER: Json = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 4}, "days": {"type": "integer", "enum": [1, 2]}},
    "required": ["city"],
    "additionalProperties": False,
}
FUNCTION = {"name": "weather", "description": "How it will be", "parameters": WEATHER}
TOOLS = [{"type": "function", "function": FUNCTION}]
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
CHAT = [
    {"role": "system", "content": "You are kind."},
    {"role": "user", "content": "Tell me a story about a dog."},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
]
PICTURE = {"type": "image_url", "image_url": {"url": data_url(png(RED, 12, 9))}}
SOUND = {"type": "input_audio", "input_audio": {"data": encoded(wav(440, 0.05)), "format": "wav"}}
SEEN = [{"role": "user", "content": [PICTURE, {"type": "text", "text": "What colour is it?"}]}]
HEARD = [{"role": "user", "content": [SOUND, {"type": "text", "text": "What is it?"}]}]
BASE64_GIF = {"type": "base64", "media_type": "image/gif", "data": encoded(gif(BLUE))}
CHANGING_OPTIONS = {
    **{"temperature": 1.2, "top_k": 20, "top_p": 0.9, "min_p": 0.1, "seed": 7, "repeat_penalty": 1.1},
    **{"logit_bias": [[5, 1.5], ["a", False]], "stop": ["\n\n", "end"], "n_probs": 2},
}
EXTREME_OPTIONS = {
    **{"mirostat": 2, "mirostat_tau": 4.0, "dry_multiplier": 0.8, "xtc_probability": 0.5, "typical_p": 0.9},
    **{"samplers": ["top_k", "temperature"], "dynatemp_range": 0.5, "n_keep": 2, "cache_prompt": False},
}


@dataclass(frozen=True, slots=True)
class Known:
    """What bodies may name, since the server has it."""

    training_file: str
    """The id of an uploaded file."""
    response: str
    """The id of a stored response."""
    adapter_name: str
    adapter_path: str
    slot_file: str
    media_marker: str


def valid_bodies(known: Known) -> dict[str, Sequence[Any]]:
    """Returns bodies by the name of their schema; a body that has no schema by its path."""
    return {
        **_llama_bodies(known),
        **_openai_bodies(known),
        **_response_bodies(known),
        **_anthropic_bodies(),
        **_ollama_bodies(),
        **_embedding_bodies(),
        **_fine_tuning_bodies(known),
        "ExecutionRequestBody": [
            {"data": STORY, "max_tokens": FEW, "context": "Be kind.", "history": CHAT[:2], "options": {"stream": True}},
            {"text": STORY, "parameters": {"max_tokens": FEW, "response_format": "json_object"}},
            {"data": SEEN, "max_tokens": FEW},
        ],
        "LlmEngineCompletionBody": [
            {"prompt": STORY, "max_new_tokens": FEW, "temperature": 0.5, "return_token_log_probs": True},
            {"prompt": STORY, "max_new_tokens": FEW, "temperature": 0, "guided_choice": ["yes", "no"]},
        ],
        "ModelDownloadBody": [{"model_name": "bundled", "download_format": "gguf"}],
        "/lora-adapters": [[{"id": 0, "scale": 0.5}], []],
    }


def _llama_bodies(known: Known) -> dict[str, Sequence[Any]]:
    picture = {"prompt_string": f"a{known.media_marker}b", "multimodal_data": [encoded(jpeg())]}
    sound = {"prompt_string": f"a{known.media_marker}b", "multimodal_data": [encoded(mp3(4))]}
    return {
        "CompletionRequestBody": [
            {"prompt": STORY, "n_predict": FEW, **CHANGING_OPTIONS},
            {"prompt": [STORY, [1, 2, "a"], "A cat"], "n_predict": FEW, "stream": True, **EXTREME_OPTIONS},
            {"prompt": STORY, "n_predict": FEW, "grammar": 'root ::= ("a" | [b-d])+ "."', "return_progress": True},
            {
                "prompt": STORY,
                "n_predict": FEW,
                "json_schema": WEATHER,
                "response_fields": ["content", "timings/cache_n"],
            },
            {"prompt": "a[img-1]b", "n_predict": FEW, "image_data": [{"data": encoded(png(BLUE, 9, 9)), "id": 1}]},
            {"prompt": picture, "n_predict": FEW, "n": 2, "stream": True},
            {"prompt": sound, "n_predict": FEW, "lora": [{"id": 0, "scale": 0.5}]},
            {"prompt": STORY, "n_predict": FEW, "system_prompt": {"prompt": "Be kind.", "anti_prompt": "User:"}},
        ],
        "InfillRequestBody": [
            {"input_prefix": "def a(", "input_suffix": "return 1", "n_predict": FEW, "n_indent": 2},
            {
                **{"input_prefix": ["a", 5], "input_suffix": "b", "prompt": "c", "n_predict": FEW, "stream": False},
                "input_extra": [{"text": "import os", "filename": "a.py"}],
            },
        ],
        "ApplyTemplateRequestBody": [
            {"messages": CHAT, "tools": TOOLS},
            {"messages": SEEN, "chat_template_kwargs": {"a": 1}},
        ],
        "TokenizeRequestBody": [{"content": "Hello \U0001f999", "add_special": True, "with_pieces": True}],
        "DetokenizeRequestBody": [{"tokens": [1, 20, 300]}],
        "SlotFileRequestBody": [{"filename": known.slot_file}, {"filename": "another.bin"}],
    }


def _openai_bodies(known: Known) -> dict[str, Sequence[Any]]:
    strict = {"type": "json_schema", "json_schema": {"name": "weather", "schema": WEATHER, "strict": True}}
    return {
        "ChatCompletionRequestBody": [
            {"model": "bundled", "messages": CHAT, "tools": TOOLS, "tool_choice": "auto", "max_tokens": FEW},
            {"model": "bundled", "messages": CHAT[:2], "tools": TOOLS, "tool_choice": "required", "max_tokens": 40},
            {
                **{"messages": SEEN, "max_tokens": FEW, "stream": True, "stream_options": {"include_usage": True}},
                **{"logprobs": True, "top_logprobs": 2},
            },
            {"messages": HEARD, "max_tokens": FEW},
            {"messages": CHAT[:2], "max_tokens": FEW, "response_format": strict, "n": 2, "stop": "."},
            {
                **{"messages": [*CHAT[:2], {"role": "assistant", "content": "Once"}], "continue_final_message": True},
                **{"add_generation_prompt": False, "max_tokens": FEW, "model": known.adapter_name, "verbose": True},
            },
        ],
        "OpenAiCompletionRequestBody": [
            {"model": "bundled", "prompt": STORY, "max_tokens": FEW, "logprobs": 2, **CHANGING_OPTIONS},
            {
                **{
                    "model": "bundled",
                    "prompt": ["a", "b"],
                    "echo": True,
                    "max_tokens": FEW,
                    "n": 2,
                    "best_of": 2,
                    "stream": True,
                },
                "structured_outputs": {"regex": "[a-c]+"},
            },
        ],
        "LoadAdapterRequestBody": [{"lora_name": known.adapter_name, "lora_path": known.adapter_path}],
        "UnloadAdapterRequestBody": [{"lora_name": known.adapter_name}],
    }


def _response_bodies(known: Known) -> dict[str, Sequence[Any]]:
    function = {"type": "function", **FUNCTION, "strict": True}
    picture = {"type": "input_image", "image_url": data_url(jpeg(), "image/jpeg")}
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "How is it?"}, picture]},
        {"type": "function_call", "call_id": "a", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "sunny"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Well"}]},
        {"role": "user", "content": "And then?"},
    ]
    inputs: list[Json] = [
        {"model": "bundled", "input": items, "instructions": "Be kind.", "tools": [function], "tool_choice": "auto"},
        {"input": STORY, "previous_response_id": known.response, "reasoning": {"effort": "low"}},
        {
            "input": STORY,
            "text": {"format": {"type": "json_schema", "name": "a", "schema": WEATHER}, "verbosity": "low"},
        },
    ]
    options: list[Json] = [
        {"max_output_tokens": FEW, "stream": True, "metadata": {"a": "b"}, "include": ["message.output_text.logprobs"]},
        {"max_output_tokens": FEW, "store": True, "top_logprobs": 2},
        {"max_output_tokens": FEW, "stream": True, "store": False},
    ]
    both = [body | more for body, more in zip(inputs, options, strict=True)]
    return {"ResponsesRequestBody": both, "ResponseInputFields": inputs}


def _anthropic_bodies() -> dict[str, Sequence[Any]]:
    tools = [{"name": "weather", "description": "How it will be", "input_schema": WEATHER}]
    used = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "sunny"}]}
    prompts: list[Json] = [
        {
            "messages": [
                {"role": "user", "content": "How is it?"},
                {"role": "assistant", "content": [used]},
                {"role": "user", "content": [result]},
            ],
            **{"tools": tools, "tool_choice": {"type": "auto"}, "system": [{"type": "text", "text": "Be kind."}]},
        },
        {
            "messages": [{"role": "user", "content": [{"type": "image", "source": BASE64_GIF}]}],
            **{"thinking": {"type": "enabled", "budget_tokens": 2}, "model": "bundled"},
        },
        {
            "messages": [{"role": "user", "content": STORY}, {"role": "assistant", "content": "there"}],
            "output_config": {"format": {"type": "json_schema", "schema": WEATHER}, "effort": "low"},
        },
    ]
    options: list[Json] = [
        {"max_tokens": FEW, "stream": True, "stop_sequences": ["."]},
        {"max_tokens": FEW},
        {"max_tokens": FEW, "temperature": 0.5, "metadata": {"user_id": "a"}},
    ]
    both = [body | more for body, more in zip(prompts, options, strict=True)]
    return {"MessagesRequestBody": both, "MessageFields": prompts}


def _ollama_bodies() -> dict[str, Sequence[Any]]:
    call = {"function": {"name": "weather", "arguments": {"city": "Rome"}}}
    turns = [
        {"role": "user", "content": "How is it?", "images": [encoded(png(RED, 9, 9))]},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "sunny", "tool_name": "weather"},
    ]
    options = {"num_predict": FEW, "temperature": 0.5, "seed": 3, "stop": ["."], "num_ctx": 512}
    template = "{{ if .System }}{{ .System }}{{ end }}{{ .Prompt }}"
    return {
        "OllamaChatBody": [
            {"model": "bundled", "messages": turns, "tools": TOOLS, "options": options, "keep_alive": "5m"},
            {
                "model": "bundled",
                "messages": CHAT[:2],
                "format": WEATHER,
                "stream": False,
                "think": False,
                "options": options,
            },
        ],
        "OllamaGenerateBody": [
            {"model": "bundled", "prompt": STORY, "system": "Be kind.", "template": template, "options": options},
            {"model": "bundled", "prompt": STORY, "raw": True, "stream": False, "options": options},
            {"model": "bundled", "prompt": STORY, "context": [1, 2, 3], "stream": False, "options": options},
            {"model": "bundled", "prompt": "a", "suffix": "b", "logprobs": True, "top_logprobs": 2, "options": options},
            {
                "model": "bundled",
                "prompt": "What is it?",
                "images": [encoded(gif(BLUE))],
                "format": "json",
                "options": options,
            },
        ],
        "OllamaShowBody": [{"model": "bundled", "verbose": True}],
    }


def _embedding_bodies() -> dict[str, Sequence[Any]]:
    return {
        "EmbeddingRequestBody": [{"content": STORY, "embd_normalize": 2}, {"input": [STORY, [1, 2]]}],
        "OpenAiEmbeddingRequestBody": [
            {"input": [STORY, "a"], "encoding_format": "base64", "dimensions": 8, "model": "a"}
        ],
        "RerankRequestBody": [{"query": "a", "documents": ["a dog", {"text": "a cat"}], "top_n": 1}],
        "OllamaEmbedBody": [{"model": "bundled", "input": [STORY, "a"], "truncate": True, "dimensions": 4}],
        "OllamaEmbeddingsBody": [{"model": "bundled", "prompt": STORY}],
    }


def _fine_tuning_bodies(known: Known) -> dict[str, Sequence[Any]]:
    names: Json = {"model": "bundled", "training_file": known.training_file, "suffix": "new"}
    openai = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1, "batch_size": 2}}}
    return {
        "FineTuneBody": [
            names | {"hyperparameters": {"epochs": 1, "lr": 0.001, "peft_config": {"r": 4}}},
            names | {"validation_file": known.training_file, "hyperparameters": {"epochs": 1}},
        ],
        "FineTuningJobBody": [
            names | {"method": openai, "seed": 3, "metadata": {"a": "b"}},
            names | {"hyperparameters": {"n_epochs": 1, "learning_rate_multiplier": 2}, "integrations": []},
        ],
    }
