"""Loading: Ollama's requests without a prompt or messages, which load the model or unload it. They compute nothing."""

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from server.api.ollama.options import OllamaOptions
from server.api.ollama.response import Part, PartJson, answer_json
from server.generation.endpoint import ParsedRequest, serve
from server.http.body import read_body
from server.http.fields import Fields
from server.http.json_response import JsonResponse
from server.state import get_engine
from slots.engine import Engine

Answer = dict[str, object]


async def answer_or_serve(request: Request, read: Callable[[Request, Fields], ParsedRequest | Answer]) -> Response:
    """Returns the response to what `read` makes of a body: a text to generate, or an answer already."""
    get_engine(request)  # what a body says does not matter while the model loads
    parsed = await read_body(request, partial(read, request), is_slow=True)
    return await serve(request, parsed) if isinstance(parsed, ParsedRequest) else JsonResponse(parsed)


def loading_answer(engine: Engine, name: str, body: OllamaOptions, part_json: PartJson) -> Answer:
    """Returns the answer to a request that only loads or unloads a model. Raises NotSupported for one that generates no
    text."""
    engine.check_can_generate()
    ending: Answer = {"done_reason": "unload" if body.unloads else "load"}
    return answer_json(name, part_json(Part()), done=True) | ending
