"""The program that llama.cpp's tests start in place of llama-server: this server, with models from this machine.

The tests name their models by repositories of Hugging Face. The environment variable LLAMA_CPP_SUITE_MODELS is a JSON
object of those that are here, with the paths of their files. For one that is not, a server is started that answers
GET /health, which is all that the tests want of it before the first of them, and refuses everything else.
"""

import json
import os
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REPOSITORY, FILE, OFFLINE = "--hf-repo", "--hf-file", "--offline"


def main(arguments: list[str]) -> None:
    repository, file = value_of(REPOSITORY, arguments), value_of(FILE, arguments)
    models: dict[str, str] = json.loads(os.environ["LLAMA_CPP_SUITE_MODELS"])
    path = models.get(model_name(repository, file)) if repository else None
    if repository and path is None:
        serve_no_model(model_name(repository, file), int(value_of("--port", arguments) or 8080))
    else:
        model = ["--model", path] if path else []
        program = "from server.__main__ import llama_server; llama_server()"
        os.execv(sys.executable, [sys.executable, "-P", "-c", program, *without_hub(arguments), *model])


def value_of(flag: str, arguments: Sequence[str]) -> str | None:
    """Returns the argument after a flag; None if the flag is not there."""
    return arguments[arguments.index(flag) + 1] if flag in arguments else None


def model_name(repository: str, file: str | None) -> str:
    return f"{repository}/{file}" if file else repository


def without_hub(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments without those that say which model to fetch from Hugging Face."""
    kept = []
    rest = iter(arguments)
    for argument in rest:
        if argument in {REPOSITORY, FILE}:
            next(rest)
        elif argument != OFFLINE:
            kept.append(argument)
    return kept


def serve_no_model(name: str, port: int) -> None:
    """Answers GET /health with 200 and everything else with 501, until a signal ends it."""

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            is_health = self.path == "/health"
            error = {"code": 501, "message": f"the model {name} is not on this machine", "type": "not_supported_error"}
            body = json.dumps({"status": "no model"} if is_health else {"error": error}).encode()
            self.send_response(200 if is_health else 501)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do_OPTIONS = respond  # noqa: N815 - names of http.server

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    url = f"http://127.0.0.1:{server.server_port}"
    print(
        f"The model {name} is not on this machine: only GET /health is answered, on {url}", file=sys.stderr, flush=True
    )
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
