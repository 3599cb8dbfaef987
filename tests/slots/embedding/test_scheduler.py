from slots.embedding.request import EmbeddingJob, EmbeddingRequest
from slots.embedding.scheduler import EmbeddingQueue, schedule_batch
from slots.llama.embedding_limits import EmbeddingLimits, causal_limits, encoder_limits
from slots.options import ContextOptions
from slots.requests.adapters import AdapterSet

CHUNKS = EmbeddingLimits(max_tokens=100, n_batch=10, n_sequences=4, can_chunk=True)
WHOLE = EmbeddingLimits(max_tokens=100, n_batch=10, n_sequences=4, can_chunk=False)

BatchContent = list[tuple[int, int]]
"""The first token of a text, and how many of its tokens are computed."""


def make_queue(*requests: list[int]) -> EmbeddingQueue:
    """A queue of requests, each with texts of these lengths; the tokens of a text are its number, over all of them."""
    queue, number = EmbeddingQueue("mean"), 0
    for lengths in requests:
        texts = []
        for length in lengths:
            texts.append((number,) * length)
            number += 1
        queue.add(EmbeddingJob(EmbeddingRequest(tuple(texts))))
    return queue


def batches(queue: EmbeddingQueue, limits: EmbeddingLimits) -> list[BatchContent]:
    """All batches until nothing is left, each checked against what the context can hold."""
    unfinished, contents, n_held = None, [], 0
    while queue or unfinished:
        chunks = schedule_batch(unfinished, queue, limits)
        sequences = [chunk.input.sequence for chunk in chunks]
        assert len(set(sequences)) == len(chunks) <= limits.n_sequences
        assert set(sequences) <= set(range(limits.n_sequences))
        n_tokens = sum(chunk.n_tokens for chunk in chunks)
        assert n_tokens <= limits.n_batch or (len(chunks) == 1 and not limits.can_chunk)
        assert n_held + n_tokens <= limits.n_cells
        contents.append([(chunk.input.tokens[0], chunk.n_tokens) for chunk in chunks])
        partial = [chunk for chunk in chunks if not chunk.is_last]
        assert partial in ([], chunks[-1:])
        for chunk in chunks:
            chunk.input.n_computed += chunk.n_tokens
        unfinished = partial[0].input if partial else None
        n_held = unfinished.n_computed if unfinished else 0
    return contents


def test_short_texts_share_a_batch() -> None:
    assert batches(make_queue([3, 3, 3]), CHUNKS) == [[(0, 3), (1, 3), (2, 3)]]


def test_a_batch_has_no_more_texts_than_sequences() -> None:
    assert batches(make_queue([1] * 6), CHUNKS) == [[(0, 1), (1, 1), (2, 1), (3, 1)], [(4, 1), (5, 1)]]


def test_a_long_text_is_computed_in_chunks_and_others_fill_the_last() -> None:
    assert batches(make_queue([24, 5]), CHUNKS) == [[(0, 10)], [(0, 10)], [(0, 4), (1, 5)]]


def test_a_text_that_does_not_fit_any_more_begins_in_what_is_left_of_a_batch() -> None:
    assert batches(make_queue([7, 7]), CHUNKS) == [[(0, 7), (1, 3)], [(1, 4)]]


def test_the_longest_texts_fit_into_the_cells() -> None:
    assert sum(len(taken) for taken in batches(make_queue([100, 100, 7]), CHUNKS)) > 0


def test_requests_take_turns_with_their_texts() -> None:
    taken = batches(make_queue([10, 10, 10], [10], [10]), CHUNKS)
    assert [text for batch in taken for text, _ in batch] == [0, 3, 4, 1, 2]


def test_a_text_that_cannot_be_cut_waits_for_a_batch_with_room_for_all_of_it() -> None:
    assert batches(make_queue([7, 7, 3]), WHOLE) == [[(0, 7)], [(1, 7), (2, 3)]]


def test_a_text_that_cannot_be_cut_and_is_longer_than_a_batch_goes_alone() -> None:
    assert batches(make_queue([3, 24, 3]), WHOLE) == [[(0, 3)], [(1, 24)], [(2, 3)]]


def test_what_failed_or_is_not_waited_for_is_left_out() -> None:
    queue = make_queue([3], [3], [3])
    next(iter(queue)).future.cancel()
    queue.drop_inactive()
    assert batches(queue, CHUNKS) == [[(1, 3), (2, 3)]]


def test_beside_completions_a_batch_is_smaller() -> None:
    limits = causal_limits(ContextOptions(n_ubatch=512), 2048, 3000, is_recurrent=False)
    assert sum(chunk.n_tokens for chunk in schedule_batch(None, make_queue([1000]), limits)) == 512
    assert (
        sum(chunk.n_tokens for chunk in schedule_batch(None, make_queue([1000]), limits, completions_idle=False)) == 128
    )
    small = causal_limits(ContextOptions(n_ubatch=8), 2048, 3000, is_recurrent=False)
    assert sum(chunk.n_tokens for chunk in schedule_batch(None, make_queue([1000]), small, completions_idle=False)) == 8


def test_the_logits_of_a_batch_are_bounded() -> None:
    limits = causal_limits(ContextOptions(n_ubatch=512), 32768, 152_000, is_recurrent=False)
    assert limits.n_batch * 152_000 * 4 <= 128 << 20
    assert causal_limits(ContextOptions(n_ubatch=512), 32768, 3000, is_recurrent=False).n_batch == 512


def test_a_long_context_is_used_up_to_a_limit() -> None:
    assert causal_limits(ContextOptions(), 131_072, 3000, is_recurrent=False).max_tokens == 8192
    assert causal_limits(ContextOptions(n_batch=16_384), 131_072, 3000, is_recurrent=False).max_tokens == 16_384
    assert encoder_limits(ContextOptions(), 8192).max_tokens == ContextOptions().n_batch


def test_a_small_batch_has_few_sequences() -> None:
    assert causal_limits(ContextOptions(n_ubatch=2), 512, 3000, is_recurrent=False).n_sequences == 2


def queue_with_adapters(*requests: tuple[int, list[int]]) -> EmbeddingQueue:
    """A queue of requests, each with the number of its adapter and the lengths of its texts, whose tokens are that."""
    queue = EmbeddingQueue("mean")
    for number, lengths in requests:
        texts = tuple((number,) * length for length in lengths)
        queue.add(EmbeddingJob(EmbeddingRequest(texts), AdapterSet.of({number: 1.0})))
    return queue


def test_a_batch_has_the_texts_of_one_set_of_adapters() -> None:
    contents = batches(queue_with_adapters((1, [2]), (2, [3]), (1, [4])), CHUNKS)
    assert contents == [[(1, 2), (1, 4)], [(2, 3)]]


def test_a_large_request_does_not_keep_those_with_other_adapters_waiting() -> None:
    contents = batches(queue_with_adapters((1, [8] * 5), (2, [3])), CHUNKS)
    assert contents == [[(1, 8), (1, 2)], [(1, 6)], [(2, 3)], [(1, 8), (1, 2)], [(1, 6), (1, 4)], [(1, 4)]]


def test_an_unfinished_text_goes_on_with_its_own_adapters() -> None:
    contents = batches(queue_with_adapters((1, [15]), (2, [3])), CHUNKS)
    assert contents == [[(1, 10)], [(1, 5)], [(2, 3)]]
