"""Share of a draft model's tokens that are accepted: python -m benchmarks.speculation.acceptance --draft FILE

Continues the prompts of `texts.py` with the model, by the default samplers, and compares at each token what these make
of both models' logits, p and q. Prints, by temperature, the mean probability that a drafted token is accepted:

- rejection sampling: the token is drawn from q, and accepted with probability min(1, p / q): the sum of min(p, q).
- compare: it is the most likely one of q, and accepted if the samplers draw the same: its probability in p.

No time is measured, so that nothing depends on the machine.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np

from benchmarks.harness.arguments import make_parser
from benchmarks.harness.report import format_info, markdown_table, run_info, write_results
from benchmarks.speculation.texts import WORKLOADS
from slots.llama import Batch, Context, Logits, Model
from slots.options import ContextOptions, ModelOptions
from slots.requests.draft import Proposal
from slots.requests.sampling_params import SamplingParams
from slots.sampling import ProposalSampler

TEMPERATURES = (0.4, 0.8, 1.2)
_N_CTX = 2048


@dataclass(frozen=True)
class Row:
    """The mean probabilities of acceptance at a temperature."""

    temperature: float
    rejection_sampling: float
    compare: float
    tokens: int


class _Text:
    """A text that one model has computed."""

    def __init__(self, path: Path) -> None:
        self.model = Model(ModelOptions(path), lambda _share: None)
        self._context = Context(self.model, ContextOptions(n_ctx=_N_CTX, n_parallel=1, n_outputs=1))
        self._batch = Batch(self._context.n_batch)
        self._n_tokens = 0

    def start(self) -> None:
        """Forget the text."""
        self._context.clear_sequence(0)
        self._n_tokens = 0

    def extend(self, tokens: list[int]) -> Logits:
        """Returns a copy of the logits after these tokens."""
        self._batch.clear()
        self._batch.add(0, self._n_tokens, tokens, last_logits=True)
        self._n_tokens += len(tokens)
        logits: Logits = self._context.decode(self._batch)[0].copy()
        return logits


def acceptance(p: Proposal, q: Proposal) -> tuple[float, float]:
    """Returns the probabilities that a token is accepted which was drawn from `q`, and that the most likely one is."""
    by_token = dict(zip(p.tokens.tolist(), p.probabilities.tolist(), strict=True))
    pairs = [(by_token.get(token, 0.0), share) for token, share in zip(q.tokens.tolist(), q.probabilities, strict=True)]
    best = int(np.argmax(q.probabilities))
    return float(sum(min(pair) for pair in pairs)), pairs[best][0]


def _compare(model: _Text, draft: _Text, params: SamplingParams, n_predict: int) -> Iterator[tuple[float, float]]:
    n_vocab = min(model.model.vocab.n_tokens, draft.model.vocab.n_tokens)
    drawer = ProposalSampler(n_vocab)
    for workload in WORKLOADS.values():
        text = model.model.vocab.tokenize(workload.plain_prompt(), add_special=True, parse_special=False)
        new = text
        for each in (model, draft):
            each.start()
        for _ in range(n_predict):
            rows = [each.extend(new)[:n_vocab] for each in (model, draft)]
            (token, p), (_, q) = (drawer.draw(row, params, text) for row in rows)
            yield acceptance(p, q)
            new = [token]
            text = text + new


def main() -> None:
    arguments = _arguments()
    about = run_info(model=arguments.model.name, draft=arguments.draft.name, n_predict=arguments.n_predict)
    print(format_info(about), flush=True)
    model, draft = _Text(arguments.model), _Text(arguments.draft)
    rows = []
    for temperature in TEMPERATURES:
        pairs = list(_compare(model, draft, SamplingParams(temperature=temperature), arguments.n_predict))
        rows.append(Row(temperature, mean(one for one, _ in pairs), mean(other for _, other in pairs), len(pairs)))
    cells = [(row.temperature, f"{row.rejection_sampling:.1%}", f"{row.compare:.1%}", row.tokens) for row in rows]
    print(markdown_table(("temperature", "rejection sampling", "compare", "tokens"), cells))
    write_results(arguments.json, about, rows=rows)


def _arguments() -> argparse.Namespace:
    parser = make_parser(__doc__, results="acceptance.json")
    parser.add_argument("--draft", type=Path, required=True, metavar="FILE", help="GGUF file of the draft model")
    parser.add_argument("--n-predict", type=int, default=100, help="tokens of each text")
    return parser.parse_args()


if __name__ == "__main__":
    main()
