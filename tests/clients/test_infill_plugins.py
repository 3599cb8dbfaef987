"""The requests with which editor plug-ins ask for code at the cursor: those of llama.vim and llama.vscode."""

from typing import Any

from tests.server.http_client import events, post

VIM_SHOWS = (
    "content",
    "timings/prompt_n",
    "timings/prompt_ms",
    "timings/prompt_per_token_ms",
    "timings/prompt_per_second",
    "timings/predicted_n",
    "timings/predicted_ms",
    "timings/predicted_per_token_ms",
    "timings/predicted_per_second",
    "truncated",
    "tokens_cached",
)
CHUNKS = [
    {"text": "def price(item):\n    return item.price\n", "time": [1, 52], "filename": "shop/price.py"},
    {"text": "TAX = 0.2\n", "time": [3, 8], "filename": "shop/tax.py"},
]
"""Of files that were open lately; `time` is the plug-in's own."""
AT_THE_CURSOR = {
    "input_prefix": "from shop.price import price\n\n\ndef total(items):\n",
    "prompt": "    return ",
    "input_suffix": "\n\n\nprint(total([]))\n",
    "input_extra": CHUNKS,
    "n_predict": 32,
    "n_indent": 4,
    "top_k": 40,
    "top_p": 0.99,
    "samplers": ["top_k", "top_p", "infill"],
    "stream": False,
    "cache_prompt": True,
    "t_max_prompt_ms": 500,
    "t_max_predict_ms": 1000,
}


def infill(server: str, body: dict[str, Any]) -> Any:
    response = post(server, body, "/infill")
    assert response.status_code == 200, response.text
    return response.json()


def test_llama_vim_gets_a_text_and_what_it_shows_of_timings(server: str) -> None:
    answer = infill(server, AT_THE_CURSOR | {"response_fields": VIM_SHOWS})
    assert tuple(answer) == VIM_SHOWS
    assert isinstance(answer["content"], str)
    assert answer["timings/predicted_n"] > 0
    assert answer["truncated"] is False


def test_llama_vim_warms_the_cache_up_and_wants_no_answer(server: str) -> None:
    warm_up = {
        "id_slot": 0,
        "input_prefix": "",
        "input_suffix": "",
        "input_extra": CHUNKS,
        "prompt": "",
        "n_predict": 0,
        "temperature": 0.0,
        "samplers": [],
        "stream": False,
        "cache_prompt": True,
        "t_max_prompt_ms": 1,
        "t_max_predict_ms": 1,
        "response_fields": [""],
    }
    assert infill(server, warm_up) == {}
    answer = infill(server, AT_THE_CURSOR | {"id_slot": 0, "response_fields": ["tokens_cached", "timings/prompt_n"]})
    assert answer["tokens_cached"] > answer["timings/prompt_n"]


def test_llama_vscode_gets_a_text_and_timings(server: str) -> None:
    answer = infill(server, AT_THE_CURSOR)
    assert isinstance(answer["content"], str)
    assert {"generation_settings", "tokens_cached", "truncated"} <= answer.keys()
    shown = ("prompt_n", "prompt_ms", "prompt_per_second", "predicted_n", "predicted_ms", "predicted_per_second")
    assert set(shown) <= answer["timings"].keys()


def test_llama_vscode_warms_the_cache_up_without_a_word_on_streaming(server: str) -> None:
    warm_up = {
        "input_prefix": "",
        "input_suffix": "",
        "input_extra": CHUNKS,
        "prompt": "",
        "n_predict": 0,
        "samplers": [],
        "cache_prompt": True,
        "t_max_prompt_ms": 500,
        "t_max_predict_ms": 1,
    }
    response = post(server, warm_up, "/infill")
    assert response.status_code == 200, response.text
    (last,) = events(response.content)
    assert last["stop"] is True
    assert last["tokens_predicted"] == 0
