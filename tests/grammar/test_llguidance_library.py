"""llguidance is called through its C interface."""

import ctypes
import subprocess
import sys
import threading

import numpy as np
import pytest

from grammar.limits import PARSER_LIMITS
from grammar.llguidance_library import MatcherParameters, NativeMatcher, TokenTables, load_library
from grammar.token_bytes import TokenBytes

END = 2
TOKENS = TokenBytes.join([b"a", b"b", b"\xff<end>"])


@pytest.fixture(scope="module")
def tables() -> TokenTables:
    return TokenTables(TOKENS, [END], [])


def compile_lark(tables: TokenTables, rules: str) -> NativeMatcher:
    return NativeMatcher.compile(tables, f'%llguidance {{"no_forcing": true}}\nstart: {rules}', PARSER_LIMITS)


def test_the_parameters_have_the_layout_that_the_library_writes() -> None:
    parameters = MatcherParameters()
    load_library().set_defaults(ctypes.byref(parameters), None)
    assert (parameters.log_buffer_level, parameters.log_stderr_level) == (0, 1)
    assert (parameters.ff_tokens_ok, parameters.backtrack_ok) == (False, False)
    limits = {name: getattr(parameters.limits, name) for name, _ in parameters.limits._fields_}
    assert limits == {
        "max_items_in_row": 2_000,
        "initial_lexer_fuel": 1_000_000,
        "step_lexer_fuel": 200_000,
        "step_max_items": 50_000,
        "max_lexer_states": 250_000,
        "max_grammar_size": 500_000,
        "precompute_large_lexemes": True,
        "verbose_errors": True,
    }


def test_a_mask_has_the_tokens_that_may_come(tables: TokenTables) -> None:
    matcher = compile_lark(tables, '"a" "b"')
    words = np.zeros(1, np.uint32)
    matcher.compute_mask(words)
    assert words[0] == 0b001
    assert matcher.allows(0)
    assert not matcher.allows(1)
    assert matcher.consume_token(0)
    assert matcher.consume_token(1)
    assert matcher.is_accepting
    assert matcher.consume_token(END)


def test_a_copy_goes_its_own_way(tables: TokenTables) -> None:
    matcher = compile_lark(tables, '"a" "b"')
    other = matcher.copy()
    assert matcher.consume_token(0)
    assert not other.allows(1)
    assert matcher.allows(1)


def test_a_token_that_may_not_come_is_an_error_that_stays(tables: TokenTables) -> None:
    matcher = compile_lark(tables, '"a"')
    assert matcher.error is None
    assert not matcher.consume_token(1)
    assert matcher.error
    assert not matcher.consume_token(0)


def test_the_error_of_a_wrong_grammar_is_told(tables: TokenTables) -> None:
    assert "missing" in (compile_lark(tables, "missing").error or "")


def test_nul_is_refused_where_the_library_would_end_the_text(tables: TokenTables) -> None:
    with pytest.raises(ValueError, match="NUL"):
        compile_lark(tables, '"\0"')


def test_other_threads_run_while_tables_are_built() -> None:
    """With the GIL held, none of the steps could be counted before the tables are there."""
    pieces = [b"%x" % n for n in range(60_000)]
    tokens = TokenBytes.join([*pieces, b"\xff<end>"])
    n_steps, is_built = 0, threading.Event()

    def build() -> None:
        TokenTables(tokens, [len(pieces)], ["[0-9]{1,4}", "[0-9a-f]+"])
        is_built.set()

    switch_interval = sys.getswitchinterval()
    thread = threading.Thread(target=build)
    thread.start()
    while not is_built.wait(switch_interval):
        n_steps += 1
    thread.join()
    assert n_steps > 3


def test_the_package_itself_is_not_imported() -> None:
    code = "import sys, grammar.compiler; print('llguidance' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
