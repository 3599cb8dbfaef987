"""The flags of embeddings and of ranking."""

from typing import get_args

from server.cli.parser import Flag, Group, Switch
from server.cli.values import MAX_SIZE, one_of, whole
from slots.options import Pooling

POOLINGS = get_args(Pooling)

EMBEDDING = Group(
    "embeddings and ranking",
    "A model that generates text computes embeddings as well, without any of these.",
    Switch(
        "--embedding, --embeddings",
        "embeddings_only",
        "compute embeddings only, and have no slots and KV cache for texts",
        "LLAMA_ARG_EMBEDDINGS",
    ),
    Switch("--reranking, --rerank", "reranking", "only rank documents, as with --pooling rank", "LLAMA_ARG_RERANKING"),
    Flag(
        f"--pooling {'|'.join(POOLINGS)}",
        "pooling",
        one_of(*POOLINGS),
        "how the embeddings of a text's tokens become one; rank: a score, from the model's classification head",
        "LLAMA_ARG_POOLING",
    ),
    Flag(
        "--embd-normalize N",
        "embd_normalize",
        whole(-1, MAX_SIZE),
        "norm that /embedding divides by: 1 taxicab, 2 Euclidean, N the N-norm; 0: largest is 32760; -1: none",
    ),
)
