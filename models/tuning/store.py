"""Store: a folder with uploaded files, jobs and adapters, and an SQLite database of what there is."""

import json
import os
import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeVar

from models.tuning.errors import StoreError
from models.tuning.events import EventLog
from models.tuning.records import UNFINISHED, AdapterRecord, FileRecord, JobRecord, Status

Record = TypeVar("Record", FileRecord, JobRecord, AdapterRecord)

SCHEMA = """
    CREATE TABLE IF NOT EXISTS files (
        id TEXT PRIMARY KEY, filename TEXT, purpose TEXT, n_bytes INTEGER, n_characters INTEGER, created REAL);
    CREATE TABLE IF NOT EXISTS jobs (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, created REAL, model TEXT, name TEXT UNIQUE,
        training_file TEXT, validation_file TEXT, options TEXT, model_digest TEXT, suffix TEXT, reporting TEXT,
        needs_key INTEGER, metadata TEXT, status TEXT, reason TEXT, started REAL, finished REAL, n_tokens INTEGER,
        n_attempts INTEGER);
    CREATE TABLE IF NOT EXISTS adapters (name TEXT PRIMARY KEY, job_id TEXT, model_digest TEXT, created REAL);
"""
JSON_FIELDS = {"options", "reporting", "metadata"}


class Store:
    """Belongs to one process at a time. Thread-safe. Nobody but the owner of the process may read what it writes."""

    def __init__(self, folder: Path) -> None:
        """Raises StoreError if the folder cannot be written or belongs to another process."""
        self.folder = folder
        self._lock = threading.RLock()
        try:
            for part in (folder, self.files, self.jobs, self.adapters):
                part.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._connection = self._open(folder / "index.sqlite3")
        except OSError as error:
            raise StoreError(f"{folder} cannot be used: {error.strerror}") from None
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise StoreError(f"{folder} is in use by another server or fine-tune") from None
            raise StoreError(f"{folder} cannot be used: {error}") from None
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{folder / 'index.sqlite3'} is damaged: {error}") from None

    @staticmethod
    def _open(path: Path) -> sqlite3.Connection:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(path, timeout=0.5, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        # The first statement takes a lock that only the end of the process gives back.
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
        for statement in filter(str.strip, SCHEMA.split(";")):
            connection.execute(statement)
        connection.execute("COMMIT")
        return connection

    @property
    def files(self) -> Path:
        return self.folder / "files"

    @property
    def jobs(self) -> Path:
        return self.folder / "jobs"

    @property
    def adapters(self) -> Path:
        return self.folder / "adapters"

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def file_path(self, file_id: str) -> Path:
        return self.files / file_id

    def job_folder(self, job_id: str) -> Path:
        return self.jobs / job_id

    def events(self, job_id: str) -> EventLog:
        return EventLog(self.jobs / f"{job_id}.jsonl")

    def adapter_path(self, name: str) -> Path:
        return self.adapters / f"{name}.gguf"

    def add_file(self, record: FileRecord) -> None:
        self._insert("files", record)

    def find_file(self, file_id: str) -> FileRecord | None:
        return self._find(FileRecord, "files", "id", file_id)

    def list_files(self) -> list[FileRecord]:
        """Returns all files, the oldest first."""
        return self._list(FileRecord, "files", "created, id")

    def remove_file(self, file_id: str) -> bool:
        """Returns whether there was such a file."""
        removed = self._execute("DELETE FROM files WHERE id = ?", file_id).rowcount > 0
        if removed:
            self.file_path(file_id).unlink(missing_ok=True)
        return removed

    def add_job(self, record: JobRecord) -> None:
        self._insert("jobs", record)

    def find_job(self, job_id: str) -> JobRecord | None:
        return self._find(JobRecord, "jobs", "id", job_id)

    def list_jobs(self) -> list[JobRecord]:
        """Returns all jobs, the oldest first."""
        return self._list(JobRecord, "jobs", "number")

    def next_job(self) -> JobRecord | None:
        """Returns the oldest job that is to run: one that a stopped server has left, or one that waits."""
        return next(iter(self.unfinished_jobs()), None)

    def unfinished_jobs(self) -> list[JobRecord]:
        return [job for job in self.list_jobs() if job.status in UNFINISHED]

    def update_job(self, job_id: str, *, if_status: Status | None = None, **changes: object) -> bool:
        """Changes fields of a job. Returns whether there was one, with the status `if_status` if that is given."""
        columns = ", ".join(f"{name} = ?" for name in changes)
        condition, values = ("", []) if if_status is None else (" AND status = ?", [if_status])
        statement = f"UPDATE jobs SET {columns} WHERE id = ?{condition}"
        return self._execute(statement, *changes.values(), job_id, *values).rowcount > 0

    def has_name(self, name: str) -> bool:
        """Whether an adapter of this name is or was made or is to be."""
        return self._find(JobRecord, "jobs", "name", name) is not None

    def clean_job(self, job_id: str) -> None:
        """Removes what a finished job needs no more; its events stay."""
        rmtree(self.job_folder(job_id), ignore_errors=True)

    def add_adapter(self, record: AdapterRecord) -> None:
        self._insert("adapters", record)

    def find_adapter(self, name: str) -> AdapterRecord | None:
        return self._find(AdapterRecord, "adapters", "name", name)

    def list_adapters(self) -> list[AdapterRecord]:
        """Returns all adapters, the oldest first."""
        return self._list(AdapterRecord, "adapters", "created, name")

    def remove_adapter(self, name: str) -> None:
        self._execute("DELETE FROM adapters WHERE name = ?", name)
        self.adapter_path(name).unlink(missing_ok=True)

    def _execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        """Raises StoreError if the index cannot be read or written, as on a full disk."""
        try:
            with self._lock:
                return self._connection.execute(statement, values)
        except sqlite3.OperationalError as error:
            raise StoreError(f"{self.folder} cannot be used: {error}") from None

    def _insert(self, table: str, record: FileRecord | JobRecord | AdapterRecord) -> None:
        values = {name: _to_column(name, value) for name, value in asdict(record).items()}
        marks = ", ".join("?" * len(values))
        self._execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", *values.values())

    def _find(self, kind: type[Record], table: str, column: str, value: str) -> Record | None:
        with self._lock:
            row = self._connection.execute(f"SELECT * FROM {table} WHERE {column} = ?", (value,)).fetchone()
        return None if row is None else _to_record(kind, row)

    def _list(self, kind: type[Record], table: str, order: str) -> list[Record]:
        with self._lock:
            rows = self._connection.execute(f"SELECT * FROM {table} ORDER BY {order}").fetchall()
        return [_to_record(kind, row) for row in rows]


def _to_column(name: str, value: object) -> object:
    return json.dumps(value) if name in JSON_FIELDS else value


def _to_record(kind: type[Record], row: Mapping[str, Any]) -> Record:
    values = {field.name: row[field.name] for field in fields(kind)}
    values |= {name: json.loads(values[name]) for name in JSON_FIELDS & values.keys()}
    if "needs_key" in values:
        values["needs_key"] = bool(values["needs_key"])
    return kind(**values)
