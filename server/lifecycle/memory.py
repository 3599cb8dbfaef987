"""The memory that a model will need, before anything is loaded: the report, and the options that fit."""

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from models.errors import ModelError
from models.header import Header, read_header
from models.projector_shape import read_projector_shape
from models.report import format_report, format_row
from models.shape import ModelShape, read_shape
from models.source import ModelSource, resolve
from models.units import human_size
from server.cli.configuration import Configuration
from slots.fit import Estimate, FreeMemory, MemoryPlan, plan_memory, projector_bytes
from slots.machine import free_memory
from slots.options import ContextOptions, MediaOptions, ModelOptions

NO_GPU_LIBRARIES = ("base", "cpu", "blas", "rpc")
"""Libraries of ggml beside which there may be one for a GPU."""
N_DRAFTED = 64
"""Rows of logits for drafted tokens of a step, see `slots/engine/contexts.py`."""


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of the models before anything is loaded."""

    header: Header
    draft: Path | None
    """The draft model's file."""
    projector: Path | None
    """That of pictures and sounds."""
    memory: MemoryPlan | None
    """None for a model that computes embeddings only, or whose header does not say enough."""


def report_models(configuration: Configuration, output: TextIO) -> Report:
    """Prints what the headers of the model and of its draft model say, and what will be needed of memory. Raises
    ModelError."""
    header = _report(configuration.source, output)
    draft = _report(configuration.draft_source, output).path if configuration.draft_source else None
    projector = configuration.projector(header.path)
    memory = plan(configuration, header.path, draft, projector)
    if memory is not None:
        print(format_plan(memory, configuration.context), file=output, flush=True)
    return Report(header, draft, projector, memory)


def dry_run(configuration: Configuration) -> int:
    """Prints the report, and loads nothing. Returns the exit code: 1 if the model does not fit, or cannot be read."""
    try:
        memory = report_models(configuration, sys.stdout).memory
    except ModelError as error:
        print(f"llama-slots: error: {error}", file=sys.stderr)
        return 1
    return 0 if memory is None or memory.fits else 1


def _report(source: ModelSource, output: TextIO) -> Header:
    header = read_header(resolve(source))
    print(format_report(header), file=output, flush=True)
    return header


def plan(
    configuration: Configuration, path: Path, draft: Path | None, projector: Path | None = None
) -> MemoryPlan | None:
    """Returns what the model at `path` will need; None for one that computes embeddings only, or whose header does not
    say enough. Raises ModelFileError."""
    shape = read_shape(path)
    if not (shape.is_decoder and shape.n_ctx_train and shape.layers) or configuration.computes_embeddings_only:
        return None
    model, context = configuration.model_options(path), configuration.context
    if configuration.engine.speculation.spec_types:
        context = context.with_outputs(context.n_parallel + N_DRAFTED)
    n_gpu_layers = model.n_gpu_layers if configuration.sets("n_gpu_layers") else None
    free = FreeMemory(free_memory(), _free_on_devices(model))
    return plan_memory(
        shape,
        context,
        n_gpu_layers,
        free,
        configuration.fit,
        draft=_draft(configuration, draft),
        projector=_projector(configuration.engine_options(draft, projector).media, has_device=bool(free.devices)),
    )


def _projector(options: MediaOptions, *, has_device: bool) -> tuple[Estimate, Estimate]:
    """Returns what it takes of host memory, and of devices."""
    if options.path is None:
        return Estimate(), Estimate()
    needed = Estimate(projector=projector_bytes(read_projector_shape(options.path, options.image_max_tokens)))
    is_on_device = has_device and options.offload and options.device != "none"
    return (Estimate(), needed) if is_on_device else (needed, Estimate())


def _draft(configuration: Configuration, path: Path | None) -> tuple[ModelShape, ContextOptions] | None:
    if path is None:
        return None
    options = configuration.engine.speculation
    return read_shape(path), configuration.context.with_cache_types(
        options.draft_cache_type_k, options.draft_cache_type_v
    )


def format_plan(plan: MemoryPlan, context: ContextOptions) -> str:
    """Returns lines of the report that is printed about a model."""
    rows = [("memory", _describe(plan.host, plan.free.host, "free"))]
    if plan.free.devices:
        where = f"free on {len(plan.free.devices)} GPU{'s' if len(plan.free.devices) > 1 else ''}"
        layers = f", with {plan.n_gpu_layers} layers"
        rows.append(("GPU memory", _describe(plan.devices, sum(plan.free.devices), where) + layers))
    slots = f"one cache of {plan.n_ctx:,} tokens for {context.n_parallel} slots"
    if not context.kv_unified:
        slots = f"{context.n_parallel} slots of {plan.n_ctx // context.n_parallel:,} tokens"
    if plan.is_reduced:
        slots += f", reduced from {plan.n_ctx_wanted:,} to {plan.n_ctx:,} in total to fit into memory"
    if not plan.fits:
        slots += "; more than is free"
    rows.append(("slots", slots))
    return "\n".join(format_row(label, text) for label, text in rows)


def _describe(needed: Estimate, free: int, where: str) -> str:
    parts = [
        ("weights", needed.weights),
        ("KV cache", needed.kv_cache),
        ("states", needed.recurrent_state),
        ("computing", needed.compute),
        ("projector", needed.projector),
    ]
    texts = [f"{human_size(n_bytes)} {name}" for name, n_bytes in parts if n_bytes]
    return f"about {human_size(needed.total)} of {human_size(free)} {where}: {', '.join(texts)}"


def _free_on_devices(model: ModelOptions) -> tuple[int, ...]:
    """llama.cpp is only imported if it is built for a GPU."""
    names = model.placement.devices
    if names == ("none",) or not _has_gpu_library():
        return ()
    from slots.llama import find_devices  # noqa: PLC0415

    return tuple(device.free_bytes for device in find_devices() if names is None or device.name in names)


def _has_gpu_library() -> bool:
    spec = find_spec("llama_cpp")
    folder = Path(spec.origin).parent / "lib" if spec and spec.origin else None
    names = [file.name.split("ggml-", 1)[1] for file in folder.glob("*ggml-*")] if folder else []
    return any(not name.startswith(NO_GPU_LIBRARIES) for name in names)
