"""Our server compared with llama.cpp's: python -m benchmarks.serve [--peer PROGRAM]

- clients: as many at once, with one request each in a round; also with streams, with repeat_penalty 1.1, and with a
  JSON schema.
- burst (--only burst): 8 requests at once with a new common prefix of 768 tokens.
- chat: 16 conversations of 8 turns; each turn sends all earlier ones.
- open: short requests at random times (an open loop), with long prompts among them.

In each round every workload is run on each server in turns, with new prompts; the server that begins changes from round
to round. Many short rounds are better than few long ones: what disturbs the machine then disturbs all servers. A round
of short texts before them does not count. The table has, for each server, the median and the best round; how many times
as good ours is as the peer, which is the median over the rounds, and the same of the best rounds; the speed of a bare
loop over llama_decode on as many sequences, in a process of its own, measured in the same rounds; and how many cores
other programs used meanwhile, which is to be near 0.

The results are written after each round. --minutes ends a run in time, and the same command with --resume adds the
rounds that are left.

The peer is started with our model, slots and tokens (--parallel slots of --ctx tokens), and with its default flags
otherwise; more flags may follow its program, and those for model, slots and tokens are left as they are.
"""

from benchmarks.harness.llama_client import Endpoint
from benchmarks.harness.peer import LLAMA_SERVER_HELP, llama_server_command
from benchmarks.harness.prompts import ENDLESS_SCHEMA, TEXT, PromptTokens
from benchmarks.serve.setup import read_arguments, run_comparison, running_servers, serve_parser


def main() -> None:
    arguments = read_arguments(serve_parser(__doc__, "serve", LLAMA_SERVER_HELP))
    with running_servers(arguments, llama_server_command) as running:
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
