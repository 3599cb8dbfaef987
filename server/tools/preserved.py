"""Special tokens that are part of what a model says."""

from server.chat.tools.call_format import ToolFormat
from server.chat.tools.reasoning import Thinking
from slots.llama import Vocab


def preserved_tokens(vocab: Vocab, tool_format: ToolFormat | None, thinking: Thinking | None) -> frozenset[int]:
    """Returns the control tokens, which usually add nothing to a text, that spell tags of calls or thoughts. Tokens
    that end a generation are never among them."""
    texts = [*(tool_format.literals if tool_format else ()), *((thinking.start, thinking.end) if thinking else ())]
    tokens = {token for text in texts for token in vocab.tokenize(text, add_special=False, parse_special=True)}
    return frozenset(token for token in tokens - vocab.end_of_generation if vocab.is_control(token))
