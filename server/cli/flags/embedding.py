"""Flags of embeddings and reranking."""

from typing import get_args

from server.cli.parser import Flag, Group, Switch
from server.cli.values import MAX_SIZE, int_in_range, one_of
from slots.options import Pooling

POOLINGS = get_args(Pooling)

EMBEDDING = Group(
    "embeddings and reranking",
    "A model that generates text computes embeddings as well, without any of these.",
    Switch(
        "--embedding, --embeddings",
        "embeddings_only",
        "restrict the server to embeddings: no slots and no KV cache for generation",
        "LLAMA_ARG_EMBEDDINGS",
    ),
    Switch(
        "--reranking, --rerank",
        "reranking",
        "restrict the server to reranking, like --pooling rank",
        "LLAMA_ARG_RERANKING",
    ),
    Flag(
        f"--pooling {'|'.join(POOLINGS)}",
        "pooling",
        one_of(*POOLINGS),
        "how the embeddings of a text's tokens are pooled; rank = a score, from the model's classification head",
        "LLAMA_ARG_POOLING",
    ),
    Flag(
        "--embd-normalize N",
        "embd_normalize",
        int_in_range(-1, MAX_SIZE),
        "normalization of /embedding: -1 = none, 0 = largest value becomes 32760, 1 = taxicab, 2 = Euclidean, N = "
        "p-norm",
    ),
)
