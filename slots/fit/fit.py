"""plan_memory: reduces the context, then the layers on the devices, to what fits into free memory."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from models.shape import ModelShape
from slots.fit.estimate import PAD, Estimate, estimate, with_n_ctx
from slots.options import ContextOptions

MIB = 2**20
HOST_SHARE = 8
"""At least this part of the host's free memory may be left free, however large the margin is."""


@dataclass(frozen=True, slots=True)
class FitOptions:
    fit: bool = True
    """Reduce the context and the layers on devices, unless these are set, to what fits."""
    fit_target_mib: tuple[int, ...] = (1024,)
    """MiB to leave free on each device; one number is for all."""
    fit_ctx: int = 4096
    """Cells that the context is not reduced below."""


@dataclass(frozen=True, slots=True)
class FreeMemory:
    """Bytes."""

    host: int
    devices: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    n_ctx: int
    """KV cells in total."""
    n_ctx_wanted: int
    n_gpu_layers: int
    """Layers on devices, the output included."""
    host: Estimate
    devices: Estimate
    """Of all of them together."""
    free: FreeMemory
    fits: bool

    @property
    def is_reduced(self) -> bool:
        return self.n_ctx < self.n_ctx_wanted


def plan_memory(
    shape: ModelShape,
    context: ContextOptions,
    n_gpu_layers: int | None,
    free: FreeMemory,
    options: FitOptions,
    *,
    draft: tuple[ModelShape, ContextOptions] | None = None,
    projector: tuple[Estimate, Estimate] = (Estimate(), Estimate()),
) -> MemoryPlan:
    """Returns what will be needed. A context of 0 and layers of None may be reduced, if the options say so. A draft
    model is computed where the model is; `projector` is what one takes of host memory and of devices."""

    def needs(n_ctx: int, n_layers: int) -> tuple[Estimate, Estimate]:
        host, devices = estimate(shape, replace(context, n_ctx=n_ctx), n_layers)
        host, devices = host + projector[0], devices + projector[1]
        if draft is not None:
            n_draft_layers = len(draft[0].layers) + 1 if n_layers else 0
            draft_host, draft_devices = estimate(draft[0], replace(draft[1], n_ctx=n_ctx), n_draft_layers)
            host, devices = host + draft_host, devices + draft_devices
        return host, devices

    budget = _Budget(free, options.fit_target_mib)
    wanted = with_n_ctx(context, shape).n_ctx
    n_all = len(shape.layers) + 1
    n_layers = (n_all if n_gpu_layers is None or n_gpu_layers < 0 else n_gpu_layers) if free.devices else 0
    n_ctx = wanted
    if options.fit and not budget.allows(*needs(wanted, n_layers)):
        if context.n_ctx == 0:
            step = PAD * (1 if context.kv_unified else context.n_parallel)
            least = min(wanted, -(-options.fit_ctx // step) * step)
            n_ctx = _largest(least, wanted, step, lambda cells: budget.allows(*needs(cells, n_layers)))
        if n_gpu_layers is None and free.devices:
            n_layers = _largest(0, n_layers, 1, lambda layers: budget.allows(*needs(n_ctx, layers)))
    host, devices = needs(n_ctx, n_layers)
    return MemoryPlan(n_ctx, wanted, n_layers, host, devices, free, budget.allows(host, devices))


class _Budget:
    def __init__(self, free: FreeMemory, margins_mib: tuple[int, ...]) -> None:
        margins = margins_mib if len(margins_mib) > 1 else margins_mib * max(len(free.devices), 1)
        left = zip(free.devices, (*margins, *[margins[-1]] * len(free.devices)), strict=False)
        self._devices = sum(max(n_bytes - MIB * margin, 0) for n_bytes, margin in left)
        self._host = free.host - min(MIB * margins[0], free.host // HOST_SHARE)

    def allows(self, host: Estimate, devices: Estimate) -> bool:
        """The KV cache may have half of the host's memory: what lost its slot is parked there, too."""
        fits_host = host.total <= self._host and 2 * (host.kv_cache + host.recurrent_state) <= self._host
        return fits_host and devices.total <= self._devices


def _largest(least: int, most: int, step: int, is_allowed: Callable[[int], bool]) -> int:
    """Returns the largest number from `least` to `most`, in steps, that is allowed if smaller ones are; `least` if none
    is."""
    low, high = 0, (most - least) // step
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if is_allowed(least + middle * step) else (low, middle - 1)
    return least + low * step
