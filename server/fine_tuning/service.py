"""FineTuning: what endpoints ask for. Files, jobs and the adapters that these have made, in one folder."""

import json
import logging
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile

from models.tuning.dataset import check_beginning, read_examples
from models.tuning.errors import DatasetError, StoreError, TrainerMissing
from models.tuning.options import TrainingOptions
from models.tuning.records import AdapterRecord, FileRecord, JobRecord
from models.tuning.store import Store
from models.tuning.trainers import LLAMA_LIKE, check_trainer
from server.fine_tuning.base_model import BaseModel
from server.fine_tuning.hyperparameters import check_modules
from server.fine_tuning.job.download import DownloadError, DownloadLimits, probe
from server.fine_tuning.job.reporting import has_wandb
from server.fine_tuning.job.spec import TRAINING, VALIDATION, JobSpec
from server.fine_tuning.names import adapter_name, check_suffix, new_id
from server.fine_tuning.new_job import NewJob
from server.fine_tuning.process import OnProgress
from server.fine_tuning.queue import JobQueue, Publish, copy_file
from server.http.errors import ApiError
from server.settings import FineTuneSettings
from slots.errors import InvalidRequest, NotSupported, QueueFull

FILE_ID = "file-"
MAX_JSON_BYTES = 16 * 1024
"""Of what a request wants to be remembered or reported."""
MAX_FILES = 10_000

logger = logging.getLogger("server")


class FineTuning:
    """Its methods block, for as long as a disk or a host takes: call them in worker threads."""

    def __init__(
        self, settings: FineTuneSettings, model: BaseModel, publish: Publish, on_progress: OnProgress | None = None
    ) -> None:
        """Raises StoreError."""
        assert settings.fine_tune_path is not None
        self.settings, self.model = settings, model
        self.max_file_bytes = settings.fine_tune_max_file_mib * 1024 * 1024
        self.store = Store(settings.fine_tune_path)
        self.queue = JobQueue(self.store, settings.fine_tune_timeout, publish, on_progress)
        self._creating = threading.Lock()
        for unfinished in (*self.store.files.glob("upload-*"), *self.store.files.glob("copy-*")):
            unfinished.unlink()
        self._limits = DownloadLimits(settings.fine_tune_allow_local, self.max_file_bytes)

    def adapters(self) -> list[AdapterRecord]:
        """Returns the adapters of the served model, the oldest first."""
        return [record for record in self.store.list_adapters() if record.model_digest == self.model.digest]

    def check_file_count(self) -> None:
        """Raises InvalidRequest if no more files may be uploaded."""
        if len(self.store.list_files()) >= MAX_FILES:
            raise InvalidRequest("file", f"expected at most {MAX_FILES} files, delete some of them")

    def copy_in(self, path: Path) -> FileRecord:
        """Keeps a copy of a file of this machine. Raises OSError."""
        content = self.store.files / f"copy-{path.name}"
        content.touch(0o600)
        copyfile(path, content)
        return self.add_file(content, path.name, "fine-tune", None)

    def add_file(self, content: Path, filename: str, purpose: str, n_characters: int | None) -> FileRecord:
        """Keeps an uploaded file, which is moved. Raises StoreError, and removes it, if it cannot be entered."""
        record = FileRecord(
            new_id("file"), filename, purpose, content.stat().st_size, n_characters, created=time.time()
        )
        path = content.replace(self.store.file_path(record.id))
        try:
            self.store.add_file(record)
        except StoreError:
            path.unlink()
            raise
        return record

    def find_file(self, file_id: str) -> FileRecord:
        """Raises ApiError (404)."""
        if record := self.store.find_file(file_id):
            return record
        raise ApiError(404, f"file: expected the id of an uploaded file, got {file_id}", field="file")

    def find_job(self, job_id: str) -> JobRecord:
        """Raises ApiError (404)."""
        if record := self.store.find_job(job_id):
            return record
        raise ApiError(404, f"fine_tune_id: expected the id of a fine-tuning job, got {job_id}", field="fine_tune_id")

    def create_job(self, new: NewJob) -> JobRecord:
        """Checks what a request asks for, and queues it.

        Raises InvalidRequest, which names the field; ApiError (404) for an unknown file; NotSupported if the installed
        packages cannot train the model; QueueFull.
        """
        self._check_trainer()
        check_suffix(new.suffix)
        _check_report(new)
        _check_sizes(new)
        self._check_queue()
        lora = check_modules(self.model.architecture in LLAMA_LIKE, new.options.lora)
        options = replace(new.options, lora=lora)
        for name, source in (("training_file", new.training_file), ("validation_file", new.validation_file)):
            if source is not None:
                self._check_source(name, source)
        with self._creating:
            self._check_queue()
            job = self._record(new, options)
            self._prepare(job, new, options)
            self.queue.add(job, new.key)
        logger.info("The fine-tune %s waits for its turn: %s", job.id, job.name)
        return job

    def _check_queue(self) -> None:
        if len(self.store.unfinished_jobs()) > self.settings.fine_tune_max_queue:
            raise QueueFull(f"a fine-tune runs and {self.settings.fine_tune_max_queue} wait; try again later")

    def _check_trainer(self) -> None:
        try:
            check_trainer(self.model.architecture)
        except TrainerMissing as error:
            raise NotSupported(str(error)) from None

    def _check_source(self, name: str, source: str) -> None:
        """Raises InvalidRequest for a file that is no data set, as far as that is known without fetching all of it."""
        try:
            if not source.startswith(FILE_ID):
                check_beginning(probe(source, self._limits))
            elif self.store.find_file(source):
                read_examples(self.store.file_path(source))
            else:
                raise ApiError(404, f"{name}: expected the id of an uploaded file or a URL, got {source}", field=name)
        except (DatasetError, DownloadError) as error:
            raise InvalidRequest(name, str(error)) from None

    def _record(self, new: NewJob, options: TrainingOptions) -> JobRecord:
        now = datetime.now(UTC)
        return JobRecord(
            id=new_id("ft"),
            created=now.timestamp(),
            model=self.model.name,
            name=adapter_name(self.model.name, new.suffix, now, self.store.has_name),
            training_file=new.training_file,
            validation_file=new.validation_file,
            options=options.to_json(),
            model_digest=self.model.digest,
            suffix=new.suffix,
            reporting=new.reporting,
            needs_key=bool(new.key),
            metadata=new.metadata,
        )

    def _prepare(self, job: JobRecord, new: NewJob, options: TrainingOptions) -> None:
        """Writes the job's folder. Uploaded files get a second name there: they may be deleted while it waits."""
        folder = self.store.job_folder(job.id)
        folder.mkdir(mode=0o700)
        urls: dict[str, str | None] = {TRAINING: None, VALIDATION: None}
        for part, source in ((TRAINING, new.training_file), (VALIDATION, new.validation_file)):
            if source is not None and source.startswith(FILE_ID):
                copy_file(self.store.file_path(source), folder / part)
            else:
                urls[part] = source
        JobSpec(
            name=job.name,
            model_path=str(self.model.path),
            architecture=self.model.architecture,
            chat_template=self.model.chat_template,
            template_kwargs=self.model.template_kwargs,
            n_ctx=self.model.n_ctx,
            options=options,
            training_url=urls[TRAINING],
            validation_url=urls[VALIDATION],
            has_validation=new.validation_file is not None,
            limits=self._limits,
            n_threads=self.settings.fine_tune_threads,
            reporting=new.reporting,
        ).write(folder)


def _check_sizes(new: NewJob) -> None:
    for name, value in (("metadata", new.metadata), ("wandb_config", new.reporting)):
        if len(json.dumps(value)) > MAX_JSON_BYTES:
            raise InvalidRequest(name, f"expected at most {MAX_JSON_BYTES} bytes of JSON, got more")


def _check_report(new: NewJob) -> None:
    """Raises InvalidRequest without a key for a report that takes one, NotSupported without the package for it."""
    if new.options.report_to != "wandb":
        return
    if not new.key:
        raise InvalidRequest("wandb_config.api_key", "expected the key of Weights & Biases with report_to=wandb")
    if not has_wandb():
        raise NotSupported("to report to Weights & Biases the server needs the package wandb: `pip install wandb`")
