"""Our server compared with another one that speaks OpenAI's dialect: python -m benchmarks.serve.openai [--peer COMMAND]

The workloads are those of benchmarks.serve, but prompts are words and not tokens, so that their lengths are only about
the same. What is measured is the cost of the dialect and the server together; the bare loop is the same as there.

Peers that speak only this dialect differ in what else they know: leave out with --only what a peer does not know, such
as repeat_penalty, or a schema in response_format; llama-cpp-python's server knows schemas only with --json-object.
ignore_eos is sent; a server that does not know it may end texts early, which the speeds take into account.

The peer's command gets a free port, in place of {port} or as --port at its end. Give it the same model, the cores that
there are, and the slots and tokens that ours has: --parallel slots of --ctx tokens.
"""

import shlex

from benchmarks.harness.arguments import limit_n_ctx
from benchmarks.harness.openai_client import OpenAiEndpoint
from benchmarks.harness.prompts import ENDLESS_SCHEMA, PromptWords
from benchmarks.serve.setup import read_arguments, run_comparison, running_servers, serve_parser

JSON_SCHEMA_FORMAT = {
    "response_format": {"type": "json_schema", "json_schema": {"name": "people", "schema": ENDLESS_SCHEMA}}
}
JSON_OBJECT_FORMAT = {"response_format": {"type": "json_object", "schema": ENDLESS_SCHEMA}}
"""For servers that had schemas before OpenAI did."""


def main() -> None:
    parser = serve_parser(__doc__, "serve_openai", "the command of the other server, or the URL of a running one")
    parser.add_argument("--peer-model", help="one of the peer's models (default: the first one that it lists)")
    parser.add_argument("--json-object", action="store_true", help='send schemas in a "json_object"')
    arguments = read_arguments(parser)
    with running_servers(arguments, lambda peer, *_sizes: shlex.split(peer)) as (ours, *peers):
        run_comparison(
            arguments,
            [
                OpenAiEndpoint(ours.name, ours.url),
                *(OpenAiEndpoint(peer.name, peer.url, arguments.peer_model) for peer in peers),
            ],
            PromptWords,
            JSON_OBJECT_FORMAT if arguments.json_object else JSON_SCHEMA_FORMAT,
            # A word can be more than one token, and a chat has its template around it.
            limit_n_ctx(arguments.ctx, arguments.model) * 3 // 4,
        )


if __name__ == "__main__":
    main()
