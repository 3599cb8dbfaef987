"""Our server compared with another one that answers POST /completion: python -m benchmarks.serve [--peer COMMAND]

- clients: as many at once, each of which sends its next request as soon as the last one is answered (a closed loop);
  also with repeat_penalty 1.1, with streams, and with a JSON schema.
- burst: 8 requests at once with a new common prefix of 768 tokens.
- chat: 16 conversations of 8 turns; each turn sends all earlier ones.
- requests/s: short requests at random times (an open loop), with long prompts among them.

Every workload is run on each server in turns, for several rounds, with new prompts in each; a first round does not
count. The tables have medians; how many times as good ours is as the peer, which is a median over the rounds, too; and
the speed of a bare loop over llama_decode on as many sequences, in a process of its own, measured in the same rounds.

The peer's command gets a free port, in place of {port} or as --port at its end. Give it the same model, the cores that
there are, and the slots and tokens that ours has: --parallel slots of --ctx tokens.
"""

from benchmarks.harness.llama_client import Endpoint
from benchmarks.harness.prompts import ENDLESS_SCHEMA, TEXT, PromptTokens
from benchmarks.serve.setup import run_comparison, running_servers, serve_parser


def main() -> None:
    arguments = serve_parser(__doc__, "serve.json").parse_args()
    with running_servers(arguments) as running:
        ours, *peers = servers = [Endpoint(server.name, server.url) for server in running]
        for peer in peers:
            ours.check_same_model(peer)
            if peer.n_slots != ours.n_slots:
                raise SystemExit(f"{peer.name} has {peer.n_slots} slots, ours {ours.n_slots}: give both the same")
        ordinary = ours.tokenize(TEXT)
        run_comparison(
            arguments,
            servers,
            lambda seed: PromptTokens(ordinary, seed),
            {"json_schema": ENDLESS_SCHEMA},
            min(server.n_ctx for server in servers),
            **{peer.name: peer.build for peer in peers},
        )


if __name__ == "__main__":
    main()
