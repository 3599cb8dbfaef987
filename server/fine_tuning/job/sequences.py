"""Sequences: the tokens of prompts with responses, as the server makes them of requests for the same texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from models.tuning.dataset import Example
from models.tuning.errors import DatasetError
from models.tuning.sequences import TokenSequence
from server.chat.prompt import render_prompt, tokenize_prompt
from server.chat.template.chat_format import ChatFormat
from slots.errors import InvalidRequest, UnbrokenTextError
from slots.llama import Vocab


@dataclass(frozen=True, slots=True)
class Tokenized:
    sequences: list[TokenSequence]
    n_truncated: int
    """Of them, how many have lost their ends."""
    n_without_response: int
    """Examples that are left out, since not even the beginning of their response has room."""


class SequenceMaker:
    def __init__(
        self,
        vocab: Vocab,
        chat_template: str | None,
        max_tokens: int,
        template_kwargs: Mapping[str, object] | None = None,
    ) -> None:
        """A sequence is truncated to `max_tokens` tokens, the model's context."""
        self._vocab, self._chat_template, self._max_tokens = vocab, chat_template, max_tokens
        self._template_kwargs = template_kwargs
        self._end_of_text = vocab.eot if vocab.eos is None else vocab.eos
        self._end_of_turn = vocab.eos if vocab.eot is None else vocab.eot

    def tokenize(self, examples: Sequence[Example]) -> Tokenized:
        """Raises DatasetError for texts that cannot be tokenized."""
        sequences, n_truncated, n_left_out = [], 0, 0
        for number, example in enumerate(examples, start=1):
            try:
                sequence = self._tokenize(example)
            except (InvalidRequest, UnbrokenTextError, UnicodeEncodeError) as error:
                raise DatasetError(f"the texts of example {number} cannot be tokenized: {error}") from None
            if not 0 < sequence.n_prompt < self._max_tokens:
                n_left_out += 1
                continue
            n_truncated += len(sequence.tokens) > self._max_tokens
            sequences.append(TokenSequence(sequence.tokens[: self._max_tokens], sequence.n_prompt))
        if not sequences:
            raise DatasetError(
                f"no prompt leaves room for a response in the model's context, {self._max_tokens} tokens"
            )
        return Tokenized(sequences, n_truncated, n_left_out)

    @cached_property
    def _chat_format(self) -> ChatFormat:
        return ChatFormat(self._chat_template, self._vocab)

    def _tokenize(self, example: Example) -> TokenSequence:
        vocab = self._vocab
        if example.messages:
            messages = [dict(message) for message in example.messages]
            rendered = render_prompt(self._chat_format.template, messages, template_kwargs=self._template_kwargs)
            prompt, end = tokenize_prompt(rendered.text, vocab), self._end_of_turn
        else:
            prompt, end = tuple(vocab.tokenize(example.prompt, add_special=True, parse_special=True)), self._end_of_text
        response = vocab.tokenize_plain(example.response, add_special=False, parse_special=False)
        return TokenSequence((*prompt, *response, *([] if end is None else [end])), len(prompt))
