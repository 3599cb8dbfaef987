"""EventLog: what a job reports."""

from pathlib import Path

from models.tuning.events import EventLog


def test_events_are_read_in_their_order(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    assert log.read() == []
    log.say("starts")
    log.report(7, {"loss": 2.1081234567, "learning_rate": 0.0017071067811865474, "epoch": 0.7})
    log.say("fails", "error")
    first, metrics, last = log.read()
    assert (first.message, first.level, first.metrics) == ("starts", "info", None)
    assert metrics.message == "{'loss': 2.10812, 'learning_rate': 0.00170711, 'epoch': 0.7}"
    assert (metrics.step, metrics.metrics) == (7, {"loss": 2.10812, "learning_rate": 0.00170711, "epoch": 0.7})
    assert (last.message, last.level) == ("fails", "error")
    assert first.timestamp <= metrics.timestamp <= last.timestamp


def test_a_line_that_a_killed_process_left_is_no_event(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    log.say("one")
    with (tmp_path / "events").open("a") as file:
        file.write('{"message": "tw')
    assert [event.message for event in log.read()] == ["one"]
    log.say("three")
    log.say("four")
    assert [event.message for event in log.read()] == ["one", "four"]
