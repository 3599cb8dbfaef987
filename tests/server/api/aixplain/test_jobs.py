"""Jobs: what runs in the background, for how long, and for whom."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
import pytest

from server.api.aixplain.errors import aixplain_error
from server.api.aixplain.jobs import Jobs, Work
from server.http.errors import ApiError
from slots.errors import InvalidRequest, QueueFull, StepFailed

KEY, OTHER = b"secret", b"other"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def returns(result: object) -> Work:
    async def work(on_accepted: Callable[[], None]) -> object:
        on_accepted()
        return result

    return work


def raises(error: Exception, *, late: bool = True) -> Work:
    async def work(on_accepted: Callable[[], None]) -> object:
        if late:
            on_accepted()
        raise error

    return work


async def forever(on_accepted: Callable[[], None]) -> object:
    on_accepted()
    return await asyncio.Event().wait()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def result_of(jobs: Jobs, job_id: str, key: bytes = KEY) -> Any:
    result = jobs.find(job_id, key).result
    return None if result is None else orjson.loads(result)


def is_known(jobs: Jobs, job_id: str, key: bytes = KEY) -> bool:
    try:
        jobs.find(job_id, key)
    except ApiError as error:
        assert error.status == 404
        return False
    return True


def in_loop(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_result_is_kept_for_its_key() -> None:
    async def check() -> None:
        jobs = Jobs(aixplain_error)
        job_id = await jobs.start(KEY, 1, returns({"data": "a"}))
        await settle()
        assert result_of(jobs, job_id) == result_of(jobs, job_id) == {"data": "a"}
        assert not is_known(jobs, job_id, OTHER)
        assert not is_known(jobs, "unknown")

    in_loop(check())


def test_job_that_runs_has_no_result_yet() -> None:
    async def check() -> None:
        jobs = Jobs(aixplain_error)
        job_id = await jobs.start(KEY, 1, forever)
        await settle()
        assert result_of(jobs, job_id) is None

    in_loop(check())


def test_error_before_the_job_is_accepted_is_the_starters() -> None:
    async def check() -> None:
        jobs = Jobs(aixplain_error, max_jobs=1)
        for _ in range(2):  # nothing is left of the first
            with pytest.raises(QueueFull, match="all slots are busy"):
                await jobs.start(KEY, 1, raises(QueueFull("all slots are busy"), late=False))

    in_loop(check())


def test_later_error_is_the_result() -> None:
    async def check() -> None:
        jobs = Jobs(aixplain_error)
        job_id = await jobs.start(KEY, 1, raises(StepFailed("an internal error ended the generation")))
        await settle()
        failure = result_of(jobs, job_id)
        assert (failure["status"], failure["completed"]) == ("FAILED", True)
        assert failure["error_message"] == "an internal error ended the generation"

    in_loop(check())


def test_unexpected_error_is_logged_and_not_told(caplog: pytest.LogCaptureFixture) -> None:
    async def check() -> None:
        jobs = Jobs(aixplain_error)
        with caplog.at_level(logging.ERROR, "server"):
            job_id = await jobs.start(KEY, 1, raises(KeyError("secret")))
            await settle()
        assert "secret" not in result_of(jobs, job_id)["error_message"]

    in_loop(check())
    assert "secret" in caplog.text


def test_job_that_takes_too_long_is_ended() -> None:
    async def check() -> None:
        jobs = Jobs(aixplain_error, max_seconds=0.02)
        job_id = await jobs.start(KEY, 1, forever)
        jobs._clock = lambda: 0.0  # of the result, which would soon be too old
        while result_of(jobs, job_id) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert result_of(jobs, job_id)["error_message"] == "the job was ended after 0.02 seconds"

    in_loop(check())


def test_result_is_forgotten_after_a_time() -> None:
    async def check() -> None:
        clock = Clock()
        jobs = Jobs(aixplain_error, max_seconds=60, clock=clock)
        job_id = await jobs.start(KEY, 1, returns("a"))
        await settle()
        clock.now += 60
        assert is_known(jobs, job_id)
        clock.now += 1
        assert not is_known(jobs, job_id)

    in_loop(check())


def test_new_job_takes_the_place_of_the_result_that_is_oldest() -> None:
    async def check() -> None:
        clock = Clock()
        jobs = Jobs(aixplain_error, max_jobs=2, clock=clock)
        ids = []
        for _ in range(3):
            clock.now += 1
            ids.append(await jobs.start(KEY, 1, returns("a")))
            await settle()
        assert [is_known(jobs, job_id) for job_id in ids] == [False, True, True]

    in_loop(check())


def test_jobs_that_run_are_not_forgotten_but_no_more_are_taken() -> None:
    async def check() -> None:
        jobs = Jobs(aixplain_error, max_jobs=2)
        ids = [await jobs.start(KEY, 1, forever) for _ in range(2)]
        with pytest.raises(QueueFull, match="2 jobs run, which is as much as may run at once; try again later"):
            await jobs.start(KEY, 1, forever)
        assert all(is_known(jobs, job_id) for job_id in ids)

    in_loop(check())


def test_prompts_of_running_jobs_are_bounded() -> None:
    async def check() -> None:
        jobs = Jobs(aixplain_error, max_bytes=100)
        await jobs.start(KEY, 60, forever)
        with pytest.raises(QueueFull):
            await jobs.start(KEY, 60, forever)
        await jobs.start(KEY, 40, forever)

    in_loop(check())


def test_results_are_bounded() -> None:
    async def check() -> None:
        jobs = Jobs(aixplain_error, max_bytes=500)
        ids = []
        for _ in range(3):
            ids.append(await jobs.start(KEY, 1, returns("a" * 200)))
            await settle()
        assert [is_known(jobs, job_id) for job_id in ids] == [False, True, True]

    in_loop(check())


def test_result_that_is_too_large_is_an_error() -> None:
    async def check() -> None:
        jobs = Jobs(aixplain_error, max_bytes=500)
        job_id = await jobs.start(KEY, 1, returns("a" * 501))
        await settle()
        assert result_of(jobs, job_id)["error_message"] == "the result has more than 500 bytes"

    in_loop(check())


def test_refused_field_is_named() -> None:
    async def check() -> None:
        jobs = Jobs(aixplain_error)
        with pytest.raises(InvalidRequest, match="n_predict: wrong"):
            await jobs.start(KEY, 1, raises(InvalidRequest("n_predict", "wrong"), late=False))

    in_loop(check())
