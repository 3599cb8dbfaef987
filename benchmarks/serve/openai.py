"""Our server beside another one that speaks OpenAI's dialect: python -m benchmarks.serve.openai [--peer "command"]

The workloads are those of benchmarks.serve, but prompts are words and not tokens, so that their lengths are about the
same only. What they cost is the dialect and the server together: the bare loop is the same as there.

Peers that speak only this dialect differ in what else they take: leave out with --only what a peer does not know, as
some do not know repeat_penalty, or a schema in response_format; llama-cpp-python's server knows schemas only with
--json-object. ignore_eos is asked for; a server that does not know it may end texts early, which the speeds take into
account.

The peer's command gets a free port, in place of {port} or as --port at its end. Give it the model that is measured, the
cores that there are, and the slots and tokens that ours has: --parallel slots of --ctx tokens.
"""

from benchmarks.harness.openai_client import OpenAiEndpoint
from benchmarks.harness.prompts import ENDLESS_SCHEMA, PromptWords
from benchmarks.harness.report import format_info
from benchmarks.serve.comparison import Comparison
from benchmarks.serve.setup import arguments_parser, chosen_workloads, comparison_info, running_servers, write_results
from models.header import read_header

RESPONSE_FORMAT_SCHEMA = {
    "response_format": {"type": "json_schema", "json_schema": {"name": "people", "schema": ENDLESS_SCHEMA}}
}
RESPONSE_FORMAT_OBJECT = {"response_format": {"type": "json_object", "schema": ENDLESS_SCHEMA}}
"""As servers know it that had schemas before OpenAI did."""


def main() -> None:
    parser = arguments_parser(__doc__, "serve_openai.json")
    parser.add_argument("--peer-model", help="which of the peer's models (default: the first one that it lists)")
    parser.add_argument("--json-object", action="store_true", help='ask for schemas with "json_object"')
    arguments = parser.parse_args()
    wanted = RESPONSE_FORMAT_OBJECT if arguments.json_object else RESPONSE_FORMAT_SCHEMA
    n_ctx = min(arguments.ctx, read_header(arguments.model).n_ctx_train or arguments.ctx)
    with running_servers(arguments) as (ours, *peers):
        measured_on = comparison_info(arguments)
        print(f"medians; {format_info(measured_on)}\n", flush=True)
        comparison = Comparison(
            arguments.model,
            [
                OpenAiEndpoint(ours.name, ours.url),
                *(OpenAiEndpoint(p.name, p.url, arguments.peer_model) for p in peers),
            ],
            PromptWords,
            arguments.seed,
            arguments.rounds,
            arguments.threads,
        )
        # A word can be more than one token, and a chat has its template around it.
        rows = comparison.run(chosen_workloads(arguments, wanted), n_ctx * 3 // 4)
    write_results(arguments.json, measured_on, rows)


if __name__ == "__main__":
    main()
