"""What grammars need of the vocabulary is built when a grammar is asked for, and nobody else waits for it."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from grammar.compiler import GrammarCompiler
from grammar.source import GrammarSource
from models.source import BUNDLED_MODEL
from slots.engine.grammars import Grammars
from slots.llama import Model, Vocab
from slots.options import ModelOptions
from slots.requests.sampling_params import SamplingParams
from tests.slots.engine_runner import MakeRunner

DIGITS = GrammarSource("regex", "[0-9]+")


@pytest.fixture(scope="module")
def vocab() -> Vocab:
    return Model(ModelOptions(BUNDLED_MODEL), lambda _share: None).vocab


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[threading.Event]]:
    """Every build of tables waits for its event."""
    events: list[threading.Event] = []
    make = GrammarCompiler.__init__

    def make_when_allowed(self: GrammarCompiler, *arguments: object) -> None:
        event = threading.Event()
        events.append(event)
        assert event.wait(300)
        make(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(GrammarCompiler, "__init__", make_when_allowed)
    yield events
    for event in events:
        event.set()


def wait_for_build(builds: list[threading.Event]) -> None:
    while not builds:
        time.sleep(0.001)


def test_no_tables_exist_before_a_grammar_is_asked_for(vocab: Vocab) -> None:
    grammars = Grammars(vocab)
    assert grammars.table_bytes == 0
    grammars.compile(DIGITS)
    assert grammars.table_bytes is None or grammars.table_bytes > 100_000


def test_requests_without_a_grammar_build_none(make_runner: MakeRunner) -> None:
    runner = make_runner()

    async def test() -> None:
        await runner.complete("Once upon a time", n_predict=4)
        await runner.complete("Once upon a time", SamplingParams(dry_multiplier=0.8, temperature=0.0), n_predict=4)
        assert runner.engine.memory_use().grammar_tables == 0

    runner.run(test)


def test_a_request_without_a_grammar_is_answered_while_tables_are_built(
    make_runner: MakeRunner, builds: list[threading.Event]
) -> None:
    runner = make_runner()

    async def test() -> None:
        compiling = asyncio.create_task(asyncio.to_thread(runner.engine.grammars.compile, DIGITS))
        await asyncio.to_thread(wait_for_build, builds)
        plain = await runner.complete("Once upon a time", n_predict=4)
        assert len(plain.tokens) == 4
        assert not compiling.done()
        builds[0].set()
        constrained = await runner.complete("Once upon a time", grammar=await compiling, n_predict=4)
        assert constrained.text.isdigit()

    runner.run(test)


def test_two_that_ask_at_the_same_time_share_the_tables(vocab: Vocab, builds: list[threading.Event]) -> None:
    grammars = Grammars(vocab)
    threads = [threading.Thread(target=grammars.compile, args=(DIGITS,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_for_build(builds)
    builds[0].set()
    for thread in threads:
        thread.join(30)
    assert len(builds) == 1


def test_tables_that_could_not_be_built_are_tried_again(vocab: Vocab, monkeypatch: pytest.MonkeyPatch) -> None:
    grammars = Grammars(vocab)
    with monkeypatch.context() as patch:
        patch.setattr(GrammarCompiler, "__init__", lambda *_: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryError):
            grammars.compile(DIGITS)
    assert grammars.compile(DIGITS).matcher().mask().any()
