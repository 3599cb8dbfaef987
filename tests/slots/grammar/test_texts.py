"""What the bundled model writes under grammars, read by parsers that do not know those."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from grammar.source import GrammarSource
from slots.llama import Vocab
from slots.requests.events import StopReason
from slots.requests.sampling_params import SamplingParams
from tests.grammar.byte_level import compile_grammar, feed
from tests.slots.engine_runner import Completion, EngineRunner, engine_maker
from tests.slots.grammar.text_parsers import PARSERS

CASES = Path(__file__).parents[2] / "grammar" / "gbnf" / "cases"
N_SEEDS = 30
N_PREDICT = 160
MIN_FINISHED = 10


@dataclass(frozen=True)
class SamplingCase:
    """Options with which the model writes a text of a language, and ends it."""

    prompt: str
    end_bias: float = 0.0
    bias: float = 0.0
    favoured: str = ""
    """Characters that get the bias."""

    def sampling(self, vocab: Vocab, seed: int) -> SamplingParams:
        """Returns what it asks for."""
        favoured = [
            token for each in self.favoured for token in vocab.tokenize(each, add_special=False, parse_special=False)
        ]
        biases = [*((token, self.end_bias) for token in vocab.end_of_generation), *((t, self.bias) for t in favoured)]
        return SamplingParams(temperature=1.0, seed=seed, logit_bias=tuple(biases))


SAMPLING_CASES = {
    "arithmetic": SamplingCase("x = 1\ny = 2\nx + y = 3\n", end_bias=10.0),
    "c": SamplingCase("int main(){return 0;}\n", bias=5.0, favoured="(){};"),
    "chess": SamplingCase("Moves: 1. e4 e5\n", end_bias=2.0),
    "english": SamplingCase("Once upon a time"),
    "japanese": SamplingCase("Once upon a time"),
    "json": SamplingCase('Answer as JSON: {"name": "Tom", "age": 5}\n', end_bias=4.0),
    "json_arr": SamplingCase("A list of numbers: "),
    "list": SamplingCase("What to buy:\n- milk\n- bread\n", end_bias=6.0),
}


def read_grammar(case: str) -> str:
    """A grammar; that of C with exactly two functions, since the model would write none, or write them endlessly."""
    return (CASES / f"{case}.gbnf").read_text().replace("function*", "function{2}")


@pytest.fixture(scope="module")
def runner() -> Iterator[EngineRunner]:
    with engine_maker(n_threads=1) as make:
        yield make(n_ctx=8 * 512, n_parallel=8)


def test_every_grammar_has_its_parser() -> None:
    assert {path.stem for path in CASES.glob("*.gbnf")} == PARSERS.keys() == SAMPLING_CASES.keys()


@pytest.mark.parametrize("case", sorted(PARSERS))
def test_a_parser_of_the_language_takes_what_was_finished_and_the_grammar_the_rest(
    runner: EngineRunner, case: str
) -> None:
    text, way = read_grammar(case), SAMPLING_CASES[case]
    grammar = runner.engine.grammars.compile(GrammarSource("gbnf", text))

    async def write(seed: int) -> Completion:
        sampling = way.sampling(runner.engine.vocab, seed)
        return await runner.complete(way.prompt, sampling, n_predict=N_PREDICT, grammar=grammar)

    async def test() -> None:
        answers = await asyncio.gather(*map(write, range(N_SEEDS)))
        finished = [answer.text for answer in answers if answer.finished.reason is StopReason.EOS]
        cut = [answer.text for answer in answers if answer.finished.reason is StopReason.LIMIT]
        assert len(finished) >= MIN_FINISHED
        assert len(finished) + len(cut) == N_SEEDS
        assert [each for each in finished if not PARSERS[case](each)] == []
        assert [each for each in cut if not feed(compile_grammar(text).matcher(), each)] == []

    runner.run(test)
