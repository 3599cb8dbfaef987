"""How the models of request bodies read JSON."""

from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, BaseModel, Field, PlainValidator, ValidationInfo

from server.http.errors import ApiError
from server.http.request_model import RequestBody
from slots.errors import InvalidRequest
from slots.requests.params import Boolean, Integer, Number, Takes


class Options(BaseModel):
    verbose: Boolean | None = None


def read_parts(value: object, info: ValidationInfo) -> object:
    if value == "none":
        raise InvalidRequest("parts[0].text", "expected a string, got nothing")
    if value == "image":
        raise ApiError(501, "parts: images are not supported")
    return (value, info.context)


class Body(RequestBody):
    count: Integer = Field(3, ge=0, le=9, validation_alias=AliasChoices("count", "n", "n.max"))
    share: Number = Field(0.5, ge=0.0)
    limit: Annotated[Integer, Takes("-1 or more")] = Field(-1, ge=-1)
    is_loud: Boolean = False
    words: Annotated[tuple[str, ...], Takes("a list of strings")] = ()
    options: Annotated[Options, Takes("an object with verbose")] = Options()
    parts: Annotated[Any, PlainValidator(read_parts)] = None
    first: str = ""
    second: str = ""

    alternatives = frozenset({"first", "second"})


def refusal(**fields: Any) -> str:
    with pytest.raises(InvalidRequest) as refused:
        Body.parse(fields)
    return str(refused.value)


def test_what_is_left_out_or_null_has_its_default() -> None:
    assert Body.parse({"count": None, "words": None, "options": {"verbose": None}}) == Body()


def test_unknown_members_are_ignored() -> None:
    assert Body.parse({"frobnicate": {"deep": [1]}}) == Body()


def test_an_integer_may_be_spelled_with_a_point() -> None:
    count = Body.parse({"count": 4.0}).count
    assert (count, type(count)) == (4, int)


def test_a_number_may_be_an_integer() -> None:
    assert Body.parse({"share": 2}).share == 2.0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"count": "4"}, 'count: expected an integer, got "4"'),
        ({"count": True}, "count: expected an integer, got true"),
        ({"count": 4.5}, "count: expected an integer, got 4.5"),
        ({"count": 10}, "count: expected an integer from 0 to 9, got 10"),
        ({"count": 10**12}, "count: expected an integer from 0 to 9, got 1000000000000"),
        ({"n": -1}, "n: expected an integer from 0 to 9, got -1"),
        ({"n.max": []}, "n.max: expected an integer, got []"),
        ({"share": "much"}, 'share: expected a number, got "much"'),
        ({"share": False}, "share: expected a number, got false"),
        ({"share": -0.5}, "share: expected a number, 0 or more, got -0.5"),
        ({"share": 1e39}, "share: expected a number from -3.4028234663852886e+38 to 3.4028234663852886e+38, got 1e+39"),
        ({"limit": -2}, "limit: expected -1 or more, got -2"),
        ({"limit": 2**32}, "limit: expected an integer from -2147483648 to 4294967295, got 4294967296"),
        ({"is_loud": 1}, "is_loud: expected true or false, got 1"),
        ({"words": "one"}, 'words: expected a list of strings, got "one"'),
        ({"words": ["one", 2]}, 'words: expected a list of strings, got ["one",2]'),
        ({"options": []}, "options: expected an object with verbose, got []"),
        ({"options": {"verbose": "very"}}, 'options.verbose: expected true or false, got "very"'),
        ({"first": 1}, "first: expected a string, got 1"),
        ({"parts": "none"}, "parts[0].text: expected a string, got nothing"),
    ],
)
def test_the_message_names_the_field_what_was_expected_and_what_came(fields: dict[str, Any], message: str) -> None:
    assert refusal(**fields) == message


def test_the_first_field_that_is_wrong_is_named() -> None:
    assert refusal(is_loud="x", count="y").startswith("count: ")


def test_other_errors_of_validators_pass() -> None:
    with pytest.raises(ApiError, match="images are not supported"):
        Body.parse({"parts": "image"})


def test_validators_find_the_context() -> None:
    assert Body.parse({"parts": 1}, "context").parts == (1, "context")


def test_the_first_spelling_wins() -> None:
    assert Body.parse({"n": 1, "count": 2}).count == 2
    assert Body.parse({"n": 1, "count": None}).count == 1


def test_defaults_are_for_what_a_body_leaves_out() -> None:
    body = Body.parse({"count": 5}, defaults=Body(count=7, share=0.25))
    assert (body.count, body.share, body.limit) == (5, 0.25, -1)
    assert body.model_fields_set == {"count"}


def test_only_what_defaults_were_given_counts() -> None:
    class Other(Body):
        share: Number = 0.75

    assert Other.parse({}, defaults=Body(count=7)).share == 0.75


def test_a_body_with_one_alternative_gets_no_default_for_the_others() -> None:
    defaults = Body(first="of a flag")
    assert Body.parse({}, defaults=defaults).first == "of a flag"
    assert Body.parse({"second": "own"}, defaults=defaults).first == ""


def test_replacing_changes_a_copy() -> None:
    body = Body()
    assert (body.replace(count=8).count, body.count) == (8, 3)
