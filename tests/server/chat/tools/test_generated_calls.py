"""Whatever the bundled model generates under the grammar of a turn can be parsed. It was not trained on tool calls, so
only the grammar makes them right."""

import json
from collections.abc import Sequence
from typing import Any

import jsonschema
import pytest

from grammar.errors import GrammarError
from server.chat.tools.call_format import GENERIC_FORMAT, Placeholder, ToolFormat
from server.chat.tools.grammar import argument_schemas, json_answer_grammar, preserved_tokens, tool_call_grammar
from server.chat.tools.output_parser import (
    ContentDelta,
    OutputDelta,
    OutputParser,
    ReasoningDelta,
    ToolCallDelta,
    ToolCallStart,
)
from server.chat.tools.reasoning import ContentTags, ReasoningTags
from slots.requests.events import StopReason
from slots.requests.sampling_params import SamplingParams
from tests.server.chat.tools.example_tools import SCHEMAS, make_tool_request
from tests.server.chat.tools.templates import STYLES
from tests.slots.engine_runner import EngineRunner

PROMPT = "Once upon a time there was a girl who"
TOKENS = ToolFormat(
    opening="<|fim_prefix|>",
    call=("<|fim_suffix|>", Placeholder.NAME, "<|fim_middle|>", Placeholder.ARGUMENTS),
    separator="",
    closing="<|im_start|>",
)
"""A format made of the bundled model's special tokens."""
REASONING = ReasoningTags("<|im_start|>", "<|fim_suffix|>", is_open=False)


def biased(runner: EngineRunner, text: str, bias: float, **options: Any) -> SamplingParams:
    tokens = runner.engine.vocab.tokenize(text, add_special=False, parse_special=True)
    return SamplingParams(logit_bias=tuple((token, bias) for token in tokens), **options)


def generate_turn(
    runner: EngineRunner,
    tool_format: ToolFormat | None,
    tags: ReasoningTags | None,
    source: Any,
    *,
    sampling: SamplingParams,
    n_predict: int = 400,
    content_tags: Sequence[ContentTags] = (),
) -> tuple[list[OutputDelta], StopReason]:
    """Returns the deltas of the model's turn and why it stopped."""
    vocab = runner.engine.vocab
    arguments = argument_schemas(tool_format, make_tool_request()) if tool_format else {}
    parser = OutputParser(tool_format, tags, content_tags, arguments)
    deltas: list[OutputDelta] = []
    reasons: list[StopReason] = []

    async def ask() -> None:
        answer = await runner.complete(
            PROMPT,
            sampling,
            n_predict=n_predict,
            grammar=runner.engine.grammars.compile(source),
            preserved_tokens=preserved_tokens(vocab, tool_format, tags, content_tags),
        )
        for token in answer.tokens:
            deltas.extend(parser.feed(token.text))
        reasons.append(answer.finished.reason)

    runner.run(ask)
    return deltas + parser.finish(), reasons[0]


def get_calls(deltas: list[OutputDelta]) -> list[tuple[str, Any]]:
    names = [delta.name for delta in deltas if isinstance(delta, ToolCallStart)]
    texts = [""] * len(names)
    for delta in deltas:
        if isinstance(delta, ToolCallDelta):
            texts[delta.index] += delta.text
    return [(name, json.loads(text)) for name, text in zip(names, texts, strict=True)]


def _is_call(delta: OutputDelta, index: int) -> bool:
    return isinstance(delta, ToolCallStart | ToolCallDelta) and delta.index == index


def join_text(deltas: list[OutputDelta], kind: type[ContentDelta] | type[ReasoningDelta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, kind))


@pytest.mark.parametrize("seed", range(10))
def test_calls_that_are_asked_for_come_and_match_their_schemas(runner: EngineRunner, seed: int) -> None:
    request = make_tool_request("required", parallel=False)
    source = tool_call_grammar(GENERIC_FORMAT, request, None)
    deltas, reason = generate_turn(
        runner, GENERIC_FORMAT, None, source, sampling=SamplingParams(temperature=1.5, seed=seed)
    )
    [(name, arguments)] = get_calls(deltas)
    jsonschema.validate(arguments, SCHEMAS[name])
    assert not join_text(deltas, ContentDelta)
    assert reason is StopReason.EOS


@pytest.mark.parametrize("style", [*STYLES, "tokens of the model"])
def test_every_format_can_be_written_and_read(runner: EngineRunner, style: str) -> None:
    tool_format = STYLES[style].format if style in STYLES else TOKENS
    source = tool_call_grammar(tool_format, make_tool_request("required", parallel=False), None)
    for seed in range(3):
        sampling = SamplingParams(temperature=1.0, seed=seed)
        deltas, reason = generate_turn(runner, tool_format, None, source, sampling=sampling)
        [(name, arguments)] = get_calls(deltas)
        jsonschema.validate(arguments, SCHEMAS[name])
        assert not join_text(deltas, ContentDelta)
        assert reason is StopReason.EOS


def test_several_tools_may_be_called(runner: EngineRunner) -> None:
    source = tool_call_grammar(GENERIC_FORMAT, make_tool_request("required"), None)
    sampling = biased(runner, "<|im_end|><|endoftext|>", -100, seed=1)
    deltas, reason = generate_turn(runner, GENERIC_FORMAT, None, source, sampling=sampling, n_predict=150)
    starts = [delta for delta in deltas if isinstance(delta, ToolCallStart)]
    assert [start.index for start in starts] == list(range(len(starts)))
    assert len(starts) > 1
    assert reason is StopReason.LIMIT
    for name, arguments in get_calls([delta for delta in deltas if not _is_call(delta, len(starts) - 1)]):
        jsonschema.validate(arguments, SCHEMAS[name])


def test_the_named_tool_is_the_one_that_is_called(runner: EngineRunner) -> None:
    request = make_tool_request({"type": "function", "function": {"name": "wait"}}, parallel=False)
    deltas, _ = generate_turn(
        runner, GENERIC_FORMAT, None, tool_call_grammar(GENERIC_FORMAT, request, None), sampling=SamplingParams(seed=1)
    )
    assert get_calls(deltas) == [("wait", {})]


def test_text_is_free_until_a_call_begins(runner: EngineRunner) -> None:
    source = tool_call_grammar(GENERIC_FORMAT, make_tool_request(), None)
    greedy = SamplingParams(temperature=0.0)
    deltas, _ = generate_turn(runner, GENERIC_FORMAT, None, source, sampling=greedy, n_predict=30)

    async def test() -> None:
        free = await runner.complete(PROMPT, greedy, n_predict=30)
        assert join_text(deltas, ContentDelta) == free.text != ""

    runner.run(test)


@pytest.mark.parametrize(
    "tool_format", [TOKENS, ToolFormat(call=("<", Placeholder.NAME, ">", Placeholder.ARGUMENTS, "</>"))]
)
def test_text_that_begins_a_call_has_to_go_on_as_one(runner: EngineRunner, tool_format: ToolFormat) -> None:
    source = tool_call_grammar(tool_format, make_tool_request(parallel=False), None)
    for seed in range(3):
        sampling = biased(runner, tool_format.first_call[0][:14], 12, seed=seed, temperature=1.0)  # type: ignore[index]
        deltas, _ = generate_turn(runner, tool_format, None, source, sampling=sampling)
        [(name, arguments)] = get_calls(deltas)
        jsonschema.validate(arguments, SCHEMAS[name])


@pytest.mark.parametrize("is_open", [True, False])
def test_thoughts_come_before_calls(runner: EngineRunner, is_open: bool) -> None:
    tags = ReasoningTags(REASONING.start, REASONING.end, is_open)
    source = tool_call_grammar(GENERIC_FORMAT, make_tool_request("required", parallel=False), tags)
    for seed in range(3):
        sampling = biased(runner, "<|im_start|><|fim_suffix|>", 6, seed=seed, temperature=1.0)
        deltas, reason = generate_turn(runner, GENERIC_FORMAT, tags, source, sampling=sampling)
        assert len(get_calls(deltas)) == 1
        assert not join_text(deltas, ContentDelta)
        assert reason is StopReason.EOS


def test_json_comes_after_thoughts(runner: EngineRunner) -> None:
    tags = ReasoningTags(REASONING.start, REASONING.end, is_open=True)
    source = json_answer_grammar(json.dumps(SCHEMAS["find_place"]), tags)
    thoughts = set()
    for seed in range(3):
        sampling = biased(runner, "<|fim_suffix|>", 8, seed=seed, temperature=1.0)
        deltas, _ = generate_turn(runner, None, tags, source, sampling=sampling)
        thoughts.add(join_text(deltas, ReasoningDelta))
        jsonschema.validate(json.loads(join_text(deltas, ContentDelta)), SCHEMAS["find_place"])
    assert thoughts - {""}


def test_special_tokens_of_the_format_are_the_only_ones_with_a_text(runner: EngineRunner) -> None:
    vocab = runner.engine.vocab
    texts = {vocab.piece(token) for token in preserved_tokens(vocab, TOKENS, REASONING)}
    assert texts == {b"<|fim_prefix|>", b"<|fim_suffix|>", b"<|fim_middle|>", b"<|im_start|>"}
    assert preserved_tokens(vocab, GENERIC_FORMAT, None) == frozenset()


def test_a_token_that_ends_a_generation_keeps_having_no_text(runner: EngineRunner) -> None:
    ends = ToolFormat(call=("<", Placeholder.NAME, ">", Placeholder.ARGUMENTS, "<|im_end|>"))
    assert preserved_tokens(runner.engine.vocab, ends, None) == frozenset()


@pytest.mark.parametrize("schema", [{"type": "object", "not": {}}, {"properties": {"a": {"uniqueItems": True}}}])
def test_an_unsupported_keyword_names_the_strict_tool(runner: EngineRunner, schema: dict[str, object]) -> None:
    request = make_tool_request(schemas={"wait": SCHEMAS["wait"], "odd": schema}, strict=True)
    source = tool_call_grammar(GENERIC_FORMAT, request, None)
    with pytest.raises(GrammarError, match=r'^the parameters of the tool "odd": the keyword ".*" of'):
        runner.engine.grammars.compile(source)
