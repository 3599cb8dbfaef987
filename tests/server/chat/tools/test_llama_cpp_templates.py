"""The templates of real models in llama.cpp's sources: for each, a required call is generated and read, whole and
streamed. LLAMA_CPP_SOURCES is the folder of the sources (benchmarks/README.md says where to get them)."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from server.chat.prompt import render_prompt
from server.chat.template.template import ChatTemplate
from server.chat.template.tool_call_format import infer_tool_format
from server.chat.tools.call_format import GENERIC_FORMAT, ToolFormat
from server.chat.tools.grammar import tool_call_grammar
from server.chat.tools.output_parser import ContentDelta
from slots.requests.events import StopReason
from slots.requests.sampling_params import SamplingParams
from tests.server.chat.chat_messages import user
from tests.server.chat.tools.example_tools import SCHEMAS, make_tool_request
from tests.server.chat.tools.round_trips import ARGUMENTS, LAST, NAME, assert_is_generated_and_read, written_call
from tests.server.chat.tools.test_generated_calls import generate_turn, get_calls, join_text
from tests.slots.engine_runner import EngineRunner

FOLDER = Path(os.environ.get("LLAMA_CPP_SOURCES", "")) / "models" / "templates"
TEMPLATES = sorted(FOLDER.glob("*.jinja")) if "LLAMA_CPP_SOURCES" in os.environ else []

WITHOUT_CALLS = {
    "HuggingFaceTB-SmolLM3-3B",
    "deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
    "google-gemma-2-2b-it",
    "llama-cpp-rwkv-world",
    "microsoft-Phi-3.5-mini-instruct",
}
"""For these the generic format is described in the prompt. SmolLM3 was trained on just that."""
PYTHON_REPR = {"ByteDance-Seed-OSS", "LFM2.5-8B-A1B", "openbmb-MiniCPM5-1B"}
"""They write lists and objects of earlier calls in Python's notation, and LFM2.5 does not escape quotes."""
ESCAPES = {"Reka-Edge"}
"""It writes JSON of earlier calls with escapes for all that is not ASCII, which are not generated."""
NESTED_OTHERWISE = {"MiniMax-M3", "google-gemma-4-31B-it", "google-gemma-4-31B-it-interleaved"}
"""They write lists and objects of earlier calls in a notation of their own; they are generated as JSON."""
NESTED = ("e_list", "f_place")

pytestmark = pytest.mark.skipif(not TEMPLATES, reason="LLAMA_CPP_SOURCES is not the folder of llama.cpp's sources")


@cache
def read(path: Path) -> tuple[ChatTemplate, ToolFormat]:
    template = ChatTemplate(path.read_text(), "<BOS>", "<EOS>")
    return template, infer_tool_format(template, ["<EOS>"]) or GENERIC_FORMAT


def arguments_for(name: str) -> dict[str, Any]:
    arguments = dict(ARGUMENTS)
    if name in PYTHON_REPR | NESTED_OTHERWISE:
        arguments = {key: value for key, value in arguments.items() if key not in NESTED}
    if name == "LFM2.5-8B-A1B":
        arguments["a_text"] = 'She said "no" — 永遠に'
    if name in ESCAPES:
        arguments |= {"a_text": 'She said "no"\n', "f_place": {"city": "Bern"}}
    return arguments


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_the_format_of_the_model_is_known(path: Path) -> None:
    _, tool_format = read(path)
    assert (tool_format is GENERIC_FORMAT) == (path.stem in WITHOUT_CALLS)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_call_of_an_earlier_turn_is_what_is_generated_and_read(runner: EngineRunner, path: Path) -> None:
    template, tool_format = read(path)
    arguments = arguments_for(path.stem)
    if template.capabilities.supports_tool_calls:
        text = written_call(template, ["<EOS>"], arguments)
    else:
        text = tool_format.write([(NAME, json.dumps(arguments, ensure_ascii=False), "nEEdle001")])
    assert LAST in text
    assert_is_generated_and_read(runner.engine, tool_format, text, arguments)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_required_call_comes_out_right(runner: EngineRunner, path: Path) -> None:
    template, tool_format = read(path)
    request = make_tool_request("required", parallel=False)
    known = None if tool_format is GENERIC_FORMAT else tool_format
    prompt = render_prompt(template, [user("Hello")], tools=request.tools, tool_format=known)
    content_tags = prompt.content_tags
    source = tool_call_grammar(tool_format, request, None, None, content_tags)  # the model would think for ever
    sampling = SamplingParams(temperature=1.0, seed=1)
    deltas, reason = generate_turn(runner, tool_format, None, source, sampling=sampling, content_tags=content_tags)
    [(name, arguments)] = get_calls(deltas)
    jsonschema.validate(arguments, SCHEMAS[name])
    assert not join_text(deltas, ContentDelta)
    assert reason is StopReason.EOS
