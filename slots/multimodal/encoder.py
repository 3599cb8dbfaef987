"""MediaEncoder: makes embeddings in a thread of its own, while the engine's goes on, and remembers them by content."""

import asyncio
import hashlib
import logging
import os
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

from slots.errors import InvalidRequest, NotSupported, QueueFull, ShuttingDown, StepFailed
from slots.llama import Model
from slots.llama.mtmd import MediaError, Projector
from slots.machine import usable_cpus
from slots.multimodal.limits import CheckedFile, Kind, check_file
from slots.multimodal.media import Media, make_media
from slots.options import MediaOptions
from slots.threads import MachineLoad

_log = logging.getLogger("slots")

MAX_CACHE_BYTES = 256 << 20
"""Of embeddings that are kept for later requests."""

MAX_LIVE_BYTES = 1 << 30
"""Of embeddings that requests hold until they have ended. Further media are refused."""

MAX_PENDING = 64
"""Files that may wait to be encoded."""

_MAX_PREPARED_AT_ONCE = 2
"""Files that are decoded at the same time: each may take some hundreds of megabytes for that."""

KIND_NAMES: dict[Kind, str] = {"image": "images", "audio": "sounds"}


@dataclass(slots=True, eq=False)
class _Job:
    future: "Future[None]"
    n_waiting: int = 0


class MediaEncoder:
    """The media of one model. Thread-safe."""

    def __init__(
        self, projector: Projector, options: MediaOptions, max_whole_cells: int, load: MachineLoad | None = None
    ) -> None:
        """`max_whole_cells` is how many cells a chunk may have that has to be computed at once; `load` is told while
        threads encode."""
        self.projector = projector
        self._load = load or MachineLoad()
        self._options = options
        self._max_whole_cells = max_whole_cells
        self._salt = _projector_digest(options)
        self._lock = threading.Lock()
        self._preparing = threading.Semaphore(_MAX_PREPARED_AT_ONCE)
        self._live: WeakValueDictionary[bytes, Media] = WeakValueDictionary()
        self._recent: OrderedDict[bytes, Media] = OrderedDict()
        """Encoded media, the least recently used first."""
        self._n_recent_bytes = 0
        self._jobs: dict[Media, _Job] = {}
        self._executor = ThreadPoolExecutor(1, "encoder")

    @property
    def max_bytes(self) -> int:
        """Of a file."""
        return self._options.max_bytes

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What the model takes."""
        takes: dict[Kind, bool] = {"image": self.projector.has_vision, "audio": self.projector.has_audio}
        return tuple(kind for kind, is_taken in takes.items() if is_taken)

    def load(self, name: str, data: bytes) -> Media:
        """Returns the media in a file, which may still have to be encoded. Blocks: call it in a worker thread.

        Raises InvalidRequest, which names the part of the request, for a file that cannot be used; NotSupported for a
        kind that the model does not take.
        """
        digest = hashlib.blake2b(data, key=self._salt, digest_size=32).digest()
        with self._lock:
            known = self._live.get(digest)
            if digest in self._recent:
                self._recent.move_to_end(digest)
        if known is not None:
            return known
        checked = check_file(name, data, self._options)
        if checked.kind not in self.kinds:
            raise NotSupported(f"{name}: {KIND_NAMES[checked.kind]} are not supported by this model")
        media = self._prepare(name, digest, checked)
        with self._lock:
            return self._live.setdefault(digest, media)

    async def encode(self, media: Media) -> None:
        """Compute the embeddings, unless they are known. If all that wait for it are cancelled before it begins, it
        is not done. Raises QueueFull, ShuttingDown and StepFailed."""
        if media.is_encoded:
            return
        job = self._find_job(media)
        try:
            await asyncio.shield(asyncio.wrap_future(job.future))
        except MediaError as error:
            raise StepFailed(f"a picture or sound could not be encoded: {error}") from None
        finally:
            with self._lock:
                job.n_waiting -= 1
                if job.n_waiting == 0 and job.future.cancel():
                    self._jobs.pop(media, None)

    def close(self) -> None:
        """End the thread after the encode that is running."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _prepare(self, name: str, digest: bytes, checked: CheckedFile) -> Media:
        if checked.size and not self.projector.has_positions(*checked.size):
            width, height = checked.size
            message = (
                f"expected sides that differ less, since this model has no positions for {width} x {height} pixels"
            )
            raise InvalidRequest(name, message)
        with self._preparing:
            try:
                media = make_media(checked.kind, digest, self.projector.prepare(checked.data))
            except MediaError as error:
                raise InvalidRequest(name, f"expected a file that can be decoded: {error}") from None
        for chunk in media.chunks:
            if not chunk.is_causal and len(chunk.tokens) > self._max_whole_cells:
                limit = f"expected one of at most {self._max_whole_cells} tokens (--ubatch-size, --image-max-tokens)"
                raise InvalidRequest(name, f"{limit}, since the model has to see it at once, got {len(chunk.tokens)}")
        return media

    def _find_job(self, media: Media) -> _Job:
        """Returns the job that encodes media, which counts one more waiting for it."""
        with self._lock:
            job = self._jobs.get(media)
            if job is None:
                self._check_room()
                try:
                    job = self._jobs[media] = _Job(self._executor.submit(self._run, media))
                except RuntimeError:  # it was closed
                    raise ShuttingDown("the server is shutting down") from None
            job.n_waiting += 1
            return job

    def _check_room(self) -> None:
        if len(self._jobs) >= MAX_PENDING:
            raise QueueFull(f"{len(self._jobs)} pictures or sounds wait to be encoded; try again later")
        n_bytes = sum(media.n_bytes for media in self._live.values())
        if n_bytes - self._n_recent_bytes > MAX_LIVE_BYTES:
            raise QueueFull("the pictures and sounds of waiting requests take too much memory; try again later")

    def _run(self, media: Media) -> None:
        """Runs in the encoder's thread."""
        started = time.perf_counter()
        try:
            with self._load.computing(self.projector.n_cpu_threads):
                for chunk, prepared in zip(media.chunks, media.pending, strict=True):
                    chunk.embeddings = self.projector.encode(prepared)
            media.pending = ()
        finally:
            with self._lock:
                self._jobs.pop(media, None)
                if media.is_encoded:
                    self._remember(media)
        n_cells = sum(len(chunk.tokens) for chunk in media.chunks)
        _log.info("%s of %d tokens encoded in %.0f ms", media.kind, n_cells, 1000 * (time.perf_counter() - started))

    def _remember(self, media: Media) -> None:
        digest = next((digest for digest, live in self._live.items() if live is media), None)
        if digest is None or media.n_bytes > MAX_CACHE_BYTES:
            return
        self._recent[digest] = media
        self._n_recent_bytes += media.n_bytes
        while self._n_recent_bytes > MAX_CACHE_BYTES:
            _, oldest = self._recent.popitem(last=False)
            self._n_recent_bytes -= oldest.n_bytes


def load_encoder(
    model: Model, options: MediaOptions, max_whole_cells: int, load: MachineLoad | None = None
) -> MediaEncoder:
    """Load a projector for a model. `load` is that of the model's contexts. Raises ModelLoadError."""
    n_threads = options.n_threads or max(usable_cpus().n_cores // 2, 1)
    return MediaEncoder(Projector(model, replace(options, n_threads=n_threads)), options, max_whole_cells, load)


def _projector_digest(options: MediaOptions) -> bytes:
    """Returns bytes that differ for projectors, and ways to prepare, whose embeddings of a file may differ. Of the
    projector's file the size, the beginning and the end count: all of it would take seconds."""
    assert options.path is not None
    size = options.path.stat().st_size
    digest = hashlib.blake2b(f"{size} {options.image_min_tokens} {options.image_max_tokens}".encode(), digest_size=32)
    with options.path.open("rb") as file:
        digest.update(file.read(1 << 20))
        file.seek(max(size - (1 << 20), 0), os.SEEK_SET)
        digest.update(file.read(1 << 20))
    return digest.digest()
