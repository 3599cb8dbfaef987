"""/completion with pictures: image_data, as its documentation has it, and llama.cpp's multimodal_data."""

from typing import Any

import pytest

from tests.server.http_client import Json, get, get_error, post, stream
from tests.slots.multimodal.media_files import BLUE, GREEN, RED, encoded, png, wav
from tests.slots.multimodal.projectors import needs_tools

pytestmark = needs_tools

PROMPT = "USER:[img-12]Describe the image in detail.\nASSISTANT:"
FRESH = {"n_predict": 8, "temperature": 0, "cache_prompt": False, "n_probs": 4}


def complete(url: str, **fields: Any) -> Json:
    response = post(url, FRESH | fields)
    assert response.status_code == 200, response.text
    result: Json = response.json()
    return result


def refusal(url: str, **fields: Any) -> str:
    error = get_error(post(url, FRESH | fields))
    assert error["code"] == 400
    return str(error["message"])


def images(*data: bytes, first_id: int = 12) -> list[Json]:
    return [{"data": encoded(each), "id": first_id + index} for index, each in enumerate(data)]


def marker(url: str) -> str:
    return str(get(f"{url}/props").json()["media_marker"])


def test_the_documents_example(media_server: str) -> None:
    red = complete(media_server, prompt=PROMPT, image_data=images(png(RED)))
    blue = complete(media_server, prompt=PROMPT, image_data=images(png(BLUE)))
    without = complete(media_server, prompt=PROMPT)
    assert red["prompt"] == PROMPT
    assert red["completion_probabilities"][0] != blue["completion_probabilities"][0]
    assert red["tokens_evaluated"] == blue["tokens_evaluated"] > without["tokens_evaluated"] + 50


def test_without_image_data_a_place_is_text(media_server: str) -> None:
    plain = complete(media_server, prompt=PROMPT)
    assert plain["tokens_evaluated"] == len(
        post(media_server, {"content": PROMPT, "add_special": True}, "/tokenize").json()["tokens"]
    )


def test_images_are_taken_in_the_order_of_the_prompt(media_server: str) -> None:
    one = complete(media_server, prompt="a[img-12]b[img-13]c", image_data=images(png(RED), png(BLUE)))
    other = complete(media_server, prompt="a[img-13]b[img-12]c", image_data=images(png(BLUE), png(RED)))
    swapped = complete(media_server, prompt="a[img-13]b[img-12]c", image_data=images(png(RED), png(BLUE)))
    assert one["content"] == other["content"]
    assert one["tokens_evaluated"] == swapped["tokens_evaluated"]


def test_an_id_is_the_index_unless_it_is_given(media_server: str) -> None:
    implicit = complete(media_server, prompt="a[img-0]b", image_data=[{"data": encoded(png(RED))}])
    assert implicit["content"] == complete(media_server, prompt="a[img-12]b", image_data=images(png(RED)))["content"]


def test_an_image_that_the_prompt_does_not_name_precedes_it(media_server: str) -> None:
    unnamed = complete(media_server, prompt="Who is it?", image_data=images(png(RED)))
    named = complete(media_server, prompt="[img-12]Who is it?", image_data=images(png(RED)))
    assert unnamed["content"] == named["content"]


def test_multimodal_data_stands_where_the_markers_are(media_server: str) -> None:
    text = PROMPT.replace("[img-12]", marker(media_server))
    prompt = {"prompt_string": text, "multimodal_data": [encoded(png(RED))]}
    old = {"prompt_string": text.replace(marker(media_server), "<__media__>"), "multimodal_data": [encoded(png(RED))]}
    expected = complete(media_server, prompt=PROMPT, image_data=images(png(RED)))["content"]
    assert complete(media_server, prompt=prompt)["content"] == expected
    assert complete(media_server, prompt=old)["content"] == expected


def test_sounds_are_multimodal_data_as_well(media_server: str) -> None:
    prompts = [
        {"prompt_string": "It sounds: <__media__> and", "multimodal_data": [encoded(wav(hertz, 0.5))]}
        for hertz in (300, 3000)
    ]
    low, high = (complete(media_server, prompt=prompt) for prompt in prompts)
    assert low["completion_probabilities"][0] != high["completion_probabilities"][0]


def test_a_list_of_prompts_may_hold_media(media_server: str) -> None:
    prompt = {"prompt_string": "a<__media__>b", "multimodal_data": [encoded(png(RED))]}
    results: Any = complete(media_server, prompt=["a", prompt])
    assert len(results) == 2


def test_the_same_picture_is_found_in_the_cache(media_server: str) -> None:
    fields: Json = {"prompt": PROMPT, "image_data": images(png(GREEN)), "cache_prompt": True}
    first, second = complete(media_server, **fields), complete(media_server, **fields)
    assert second["tokens_cached"] == first["tokens_evaluated"] - 1
    assert second["content"] == first["content"]


def test_a_stream_has_the_same_text(media_server: str) -> None:
    fields: Json = {"prompt": PROMPT, "image_data": images(png(RED))} | FRESH
    text = "".join(event["content"] for event in stream(media_server, **fields))
    assert text == complete(media_server, **fields)["content"]


def test_several_answers_and_a_grammar_beside_a_picture(media_server: str) -> None:
    results: Any = complete(media_server, prompt=PROMPT, image_data=images(png(RED)), n=3, grammar='root ::= "red"')
    assert [each["content"] for each in results] == ["red"] * 3


def test_what_describes_prompts_and_prefixes_shows_their_text_alone(media_server: str) -> None:
    """Among them are the first tokens that were not found in the cache, which are those of a picture here."""
    complete(media_server, prompt="A story: [img-12] End.", image_data=images(png((1, 1, 1))), cache_prompt=True)
    other = complete(
        media_server, prompt="A story: [img-12] End.", image_data=images(png((2, 2, 2))), cache_prompt=True
    )
    assert other["tokens_cached"] < 20
    for path in ("/slots", "/pool", "/metrics"):
        assert get(f"{media_server}{path}").status_code in (200, 501)


def test_slots_show_the_text_of_a_prompt_alone(media_server: str) -> None:
    complete(media_server, prompt=PROMPT, image_data=images(png(RED)))
    assert get(f"{media_server}/slots").status_code == 200


def test_a_slot_with_a_picture_is_saved_and_restored(media_server: str) -> None:
    fields: Json = {"prompt": PROMPT, "image_data": images(png((7, 8, 9))), "id_slot": 0, "cache_prompt": True}
    first = complete(media_server, **fields)
    assert post(media_server, {"filename": "a"}, "/slots/0?action=save").json()["n_saved"] > 50
    post(media_server, {}, "/slots/0?action=erase")
    restored = post(media_server, {"filename": "a"}, "/slots/1?action=restore")
    assert restored.status_code == 200, restored.text
    again = complete(media_server, **fields | {"id_slot": 1})
    assert (again["tokens_cached"], again["content"]) == (first["tokens_evaluated"] - 1, first["content"])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"image_data": {}}, "image_data: expected a list of objects with data and id, got {}"),
        ({"image_data": [1]}, "image_data[0]: expected an object with data and id, got 1"),
        ({"image_data": [{"id": 12}]}, "image_data[0].data: expected a string, got nothing"),
        ({"image_data": [{"data": "?", "id": 12}]}, 'image_data[0].data: expected a data: URL or base64, got "?"'),
        ({"image_data": [{"data": "aGk=", "id": 12}]}, "image_data[0].data: expected a file in PNG, JPEG, GIF or BMP"),
        ({"image_data": [{"data": "aGk=", "id": "a"}]}, "image_data[0].id: expected a number from 0 to 999999999"),
        ({"image_data": images(png(RED), first_id=13)}, "prompt: expected an image with the id 12 in image_data"),
        (
            {"prompt": {"prompt_string": "a", "multimodal_data": ["aGk="]}},
            "prompt.multimodal_data: expected as many as",
        ),
        ({"prompt": {"prompt_string": "<__media__>", "multimodal_data": [1]}}, "prompt.multimodal_data[0]: expected a"),
        ({"prompt": [-5, 7]}, "prompt[0]: expected the id of a token"),
    ],
)
def test_a_wrong_part_is_named(media_server: str, fields: Json, message: str) -> None:
    assert refusal(media_server, **{"prompt": PROMPT} | fields).startswith(message)


def test_two_images_with_one_id_are_refused(media_server: str) -> None:
    both = [*images(png(RED)), *images(png(BLUE))]
    assert refusal(media_server, prompt=PROMPT, image_data=both).startswith("image_data[1].id: expected another number")


def test_props_and_models_say_what_the_model_takes(media_server: str) -> None:
    assert get(f"{media_server}/props").json()["modalities"] == {"vision": True, "video": False, "audio": True}
    models = get(f"{media_server}/v1/models").json()
    assert models["data"][0]["architecture"]["input_modalities"] == ["text", "image", "audio"]
    assert models["models"][0]["capabilities"] == ["completion", "multimodal"]


def test_without_a_projector_they_say_so(server: str) -> None:
    assert get(f"{server}/props").json()["modalities"] == {"vision": False, "video": False, "audio": False}
    response = post(server, {"prompt": PROMPT, "image_data": images(png(RED))})
    assert response.status_code == 501
