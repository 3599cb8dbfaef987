import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.http_client import get_error, post

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(text=ANY_TEXT)
@settings(deadline=None, max_examples=60)
def test_detokenize_gives_back_what_tokenize_was_given(server: str, text: str) -> None:
    tokens = post(server, {"content": text}, "/tokenize").json()
    assert post(server, tokens, "/detokenize").json() == {"content": text}


@pytest.mark.parametrize(
    "text", [" a space in front", "\n\ttabs\r\n", "naïve café 👩‍👩‍👧 日本語", "<|im_start|>user", ""]
)
def test_text_of_every_kind_comes_back(server: str, text: str) -> None:
    tokens = post(server, {"content": text}, "/tokenize").json()
    assert post(server, tokens, "/detokenize").json() == {"content": text}


def test_no_bos_unless_asked_for(server: str) -> None:
    props = post(server, {"content": "hello"}, "/tokenize").json()["tokens"]
    with_special = post(server, {"content": "hello", "add_special": True}, "/tokenize").json()["tokens"]
    assert with_special[-len(props) :] == props


def test_special_tokens_may_be_read_as_text(server: str) -> None:
    special = {"content": "<|im_start|>"}
    n_special = len(post(server, special, "/tokenize").json()["tokens"])
    n_plain = len(post(server, special | {"parse_special": False}, "/tokenize").json()["tokens"])
    assert n_special == 1 < n_plain


def test_pieces_are_text_where_they_can_be_and_bytes_where_not(server: str) -> None:
    text = "hello 𒀀"
    tokens = post(server, {"content": text, "with_pieces": True}, "/tokenize").json()["tokens"]
    pieces = [token["piece"] for token in tokens]
    assert b"".join(p.encode() if isinstance(p, str) else bytes(p) for p in pieces) == text.encode()
    assert any(isinstance(piece, list) for piece in pieces)
    plain = post(server, {"content": text}, "/tokenize").json()["tokens"]
    assert [token["id"] for token in tokens] == plain


def test_half_a_character_becomes_a_replacement(server: str) -> None:
    tokens = post(server, {"content": "𒀀"}, "/tokenize").json()["tokens"]
    content = post(server, {"tokens": tokens[:-1]}, "/detokenize").json()["content"]
    assert content.endswith("\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/tokenize", {}, "content: expected a string, got nothing"),
        ("/tokenize", {"content": 5}, "content: expected a string, got 5"),
        ("/tokenize", {"content": "a", "with_pieces": 1}, "with_pieces: expected true or false, got 1"),
        ("/detokenize", {}, "tokens: expected a list of token ids, got nothing"),
        ("/detokenize", {"tokens": "abc"}, 'tokens: expected a list of token ids, got "abc"'),
        ("/detokenize", {"tokens": [1, "a"]}, 'tokens[1]: expected an integer, got "a"'),
        ("/detokenize", {"tokens": [-1]}, "tokens[0]: expected the id of a token, from 0 to"),
    ],
)
def test_wrong_field_is_refused(server: str, path: str, body: dict[str, object], message: str) -> None:
    error = get_error(post(server, body, path))
    assert error["code"] == 400
    assert error["message"].startswith(message)


def test_a_long_text_without_a_break_is_tokenized(server: str) -> None:
    text = "a" * 200_000
    tokens = post(server, {"content": text}, "/tokenize").json()
    assert post(server, tokens, "/detokenize").json() == {"content": text}


@pytest.mark.parametrize(("path", "field"), [("/tokenize", "content"), ("/completion", "prompt")])
def test_a_stretch_that_no_tokenizer_survives_is_refused_by_name(server: str, path: str, field: str) -> None:
    message = get_error(post(server, {field: "a" * 1_000_001}, path))["message"]
    assert message.startswith(f"{field}: expected white space")
