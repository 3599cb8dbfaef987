"""Store: what is written to its folder, and whom it belongs to."""

import subprocess
import sys
from pathlib import Path

import pytest

from models.tuning.errors import StoreError
from models.tuning.records import AdapterRecord, FileRecord, JobRecord
from models.tuning.store import Store

FILE = FileRecord("file-1", "data.csv", "fine-tune", 7, None, created=1.0)


def job(number: int) -> JobRecord:
    return JobRecord(f"ft-{number}", float(number), "bundled", f"bundled.{number}", "file-1", None, {"lr": 0.1})


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_records_are_there_after_a_restart(tmp_path: Path) -> None:
    store = Store(tmp_path)
    adapter = AdapterRecord("bundled.1", "ft-1", "digest", created=3.0)
    store.add_file(FILE)
    store.add_job(job(1))
    store.add_adapter(adapter)
    store.close()
    store = Store(tmp_path)
    assert (store.list_files(), store.list_jobs(), store.list_adapters()) == ([FILE], [job(1)], [adapter])
    assert (store.find_file("file-1"), store.find_job("ft-1"), store.find_adapter("bundled.1")) == (
        FILE,
        job(1),
        adapter,
    )
    assert (store.find_file("no"), store.find_job("no"), store.find_adapter("no")) == (None, None, None)


def test_jobs_run_in_the_order_of_their_creation(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in (1, 2, 3):
        store.add_job(job(number))
    store.update_job("ft-1", status="SUCCESS")
    store.update_job("ft-3", status="RUNNING")
    next_job = store.next_job()
    assert next_job is not None
    assert next_job.id == "ft-2"


def test_a_change_may_depend_on_the_status(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add_job(job(1))
    assert not store.update_job("ft-1", if_status="RUNNING", status="CANCELLED")
    assert store.update_job("ft-1", if_status="PENDING", status="CANCELLED")
    assert not store.update_job("ft-9", status="CANCELLED")


def test_a_removed_file_is_gone_from_the_disk(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add_file(FILE)
    store.file_path("file-1").write_text("content")
    assert store.remove_file("file-1")
    assert not store.file_path("file-1").exists()
    assert not store.remove_file("file-1")


def test_only_the_owner_may_read_what_is_there(tmp_path: Path) -> None:
    store = Store(tmp_path / "new")
    store.events("ft-1").say("hello")
    files = [path for path in (tmp_path / "new").rglob("*") if path.is_file()]
    assert files
    assert {mode(path) for path in files} == {0o600}
    assert {mode(path) for path in (tmp_path / "new", store.files, store.jobs, store.adapters)} == {0o700}


def test_a_folder_belongs_to_one_process(tmp_path: Path) -> None:
    store = Store(tmp_path)
    program = "import sys; from pathlib import Path; from models.tuning.store import Store; Store(Path(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert f"StoreError: {tmp_path} is in use by another server or fine-tune" in done.stderr
    store.close()
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)


def test_a_damaged_index_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "index.sqlite3").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="is damaged"):
        Store(tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path / "file" / "folder")
