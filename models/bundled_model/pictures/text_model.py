"""Text model: the network and the tokenizer of bundled.gguf, read back for the training of the tower."""

from pathlib import Path
from typing import Any

import gguf
import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from torch.nn import functional

from models.bundled_model.export import tensor_name
from models.bundled_model.network import Network, Shape
from models.bundled_model.tokenizer import SPECIAL_TOKENS, WORD


def load_text_model(path: Path) -> tuple[Network, Tokenizer]:
    """Reads a file that models.bundled_model.export wrote; its matrices are dequantized to float32."""
    reader = gguf.GGUFReader(path)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    network = Network(_shape(reader))
    weights = {}
    for name, parameter in network.state_dict().items():
        tensor = tensors[tensor_name(name)]
        dequantized = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        weights[name] = torch.from_numpy(dequantized.copy()).reshape(parameter.shape)
    network.load_state_dict(weights)
    return network, _tokenizer(reader)


def _value(reader: gguf.GGUFReader, key: str) -> Any:  # noqa: ANN401
    field = reader.get_field(key)
    assert field is not None, key
    return field.contents()


def _shape(reader: gguf.GGUFReader) -> Shape:
    heads = _value(reader, "llama.attention.head_count")
    return Shape(
        vocab_size=_value(reader, "llama.vocab_size"),
        context_length=_value(reader, "llama.context_length"),
        width=_value(reader, "llama.embedding_length"),
        layers=_value(reader, "llama.block_count"),
        heads=heads,
        kv_heads=_value(reader, "llama.attention.head_count_kv"),
        feed_forward=_value(reader, "llama.feed_forward_length"),
    )


def _tokenizer(reader: gguf.GGUFReader) -> Tokenizer:
    tokens = _value(reader, "tokenizer.ggml.tokens")
    merges = [tuple(merge.split(" ")) for merge in _value(reader, "tokenizer.ggml.merges")]
    special = set(SPECIAL_TOKENS)
    vocabulary = {token: i for i, token in enumerate(tokens) if token not in special}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in tokens if t in special])
    return tokenizer


def logits_at(network: Network, embeddings: Tensor, positions: Tensor) -> Tensor:
    """Logits of the chosen positions, (chosen, vocab_size) float32.

    Takes embeddings (batch, time, width) float32 and positions (batch, time) bool.
    """
    x = embeddings
    for block in network.blocks:
        x = block(x, network.rotation[: x.shape[1]])
    return functional.linear(network.norm(x[positions]), network.embedding.weight)
