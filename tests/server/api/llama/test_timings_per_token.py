from tests.server.api.llama.test_completion import TIMINGS
from tests.server.http_client import stream


def test_each_chunk_carries_timings(server: str) -> None:
    *chunks, last = stream(server, timings_per_token=True, ignore_eos=True)
    assert all(chunk["timings"].keys() == last["timings"].keys() == TIMINGS for chunk in chunks)
    assert [chunk["timings"]["predicted_n"] for chunk in chunks] == list(range(1, len(chunks) + 1))


def test_chunks_carry_none_unless_asked_for(server: str) -> None:
    *chunks, _ = stream(server)
    assert not any("timings" in chunk for chunk in chunks)
