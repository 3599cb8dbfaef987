"""Our server beside another one that answers POST /completion: python -m benchmarks.serve [--peer "llama-server ..."]

- clients: as many at once, each of which asks again as soon as it is answered (a closed loop); also with the seed's
  repeat_penalty, with streams, and with a JSON schema.
- burst: 8 requests at once with a new prefix of 768 tokens in common.
- chat: 16 conversations of 8 turns, each turn with all that was said before.
- requests/s: short requests at random times (an open loop), with long prompts among them.

Every workload is run on each server in turns, for several rounds, with new prompts in each; a first round does not
count. Shown are medians; how many times better ours is, which is a median over the rounds, too; and the speed of a bare
loop over llama_decode on as many sequences, in a process of its own, measured in the same rounds.

The peer's command gets a free port, in place of {port} or as --port at its end. Give it the model that is measured, the
cores that there are, and the slots and tokens that ours has: --parallel slots of --ctx tokens.
"""

from benchmarks.harness.llama_client import Endpoint
from benchmarks.harness.prompts import ENDLESS_SCHEMA, TEXT, PromptTokens
from benchmarks.harness.report import format_info
from benchmarks.serve.comparison import Comparison
from benchmarks.serve.setup import arguments_parser, chosen_workloads, comparison_info, running_servers, write_results


def main() -> None:
    arguments = arguments_parser(__doc__, "serve.json").parse_args()
    with running_servers(arguments) as running:
        ours, *peers = servers = [Endpoint(server.name, server.url) for server in running]
        for peer in peers:
            ours.check_same_model(peer)
            if peer.n_slots != ours.n_slots:
                raise SystemExit(f"{peer.name} has {peer.n_slots} slots, ours {ours.n_slots}: give both the same")
        measured_on = comparison_info(arguments, **{peer.name: peer.build for peer in peers})
        print(f"medians; {format_info(measured_on)}\n", flush=True)
        ordinary = ours.tokenize(TEXT)
        comparison = Comparison(
            arguments.model,
            servers,
            lambda seed: PromptTokens(ordinary, seed),
            arguments.seed,
            arguments.rounds,
            arguments.threads,
        )
        n_ctx = min(server.n_ctx for server in servers)
        rows = comparison.run(chosen_workloads(arguments, {"json_schema": ENDLESS_SCHEMA}), n_ctx)
    write_results(arguments.json, measured_on, rows)


if __name__ == "__main__":
    main()
