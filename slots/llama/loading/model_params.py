"""Load arguments: a model's options in llama.cpp's struct."""

import ctypes
from collections.abc import Callable, Sequence

import llama_cpp.llama_cpp as lib

from slots.errors import ModelLoadError
from slots.llama.loading.devices import NO_DEVICE, device_list
from slots.llama.loading.metadata import metadata_overrides
from slots.llama.loading.placement import tensor_overrides
from slots.options import LoadMode, ModelOptions

_SPLIT_MODES = {"none": 0, "layer": 1, "row": 2, "tensor": 3}
_LOAD_MODES: dict[LoadMode, int] = {"auto": -1, "none": 0, "mmap": 1, "mlock": 2, "mmap+mlock": 3, "dio": 4}
_LOAD_MODES_OF_SWITCHES: dict[tuple[bool, bool], LoadMode] = {
    (False, False): "none",
    (True, False): "mmap",
    (False, True): "mlock",
    (True, True): "mmap+mlock",
}
"""By (mmap, mlock)."""
_LAZY_MODES = {"off": 0, "auto": 1, "on": 2}
_NUMA_STRATEGIES = {
    "distribute": lib.GGML_NUMA_STRATEGY_DISTRIBUTE,
    "isolate": lib.GGML_NUMA_STRATEGY_ISOLATE,
    "numactl": lib.GGML_NUMA_STRATEGY_NUMACTL,
}


class LoadArguments:
    """llama.cpp's parameters of a model, with the arrays that they point to."""

    def __init__(self, options: ModelOptions, on_progress: Callable[[float], None]) -> None:
        """`on_progress` gets the loaded share, 0 to 1. Raises ModelLoadError for what this build does not know."""
        self.params = params = lib.llama_model_default_params()
        params.n_gpu_layers = options.n_gpu_layers
        params.split_mode = _SPLIT_MODES[options.split_mode]
        params.main_gpu = options.main_gpu
        params.load_mode = _LOAD_MODES[options.load_mode or _LOAD_MODES_OF_SWITCHES[options.mmap, options.mlock]]
        params.lazy_mode = _LAZY_MODES[options.lazy_mode]
        params.check_tensors = options.check_tensors
        params.use_extra_bufts = options.repack
        params.no_host = options.no_host

        def report(share: float, _user_data: ctypes.c_void_p) -> bool:
            on_progress(share)
            return True

        params.progress_callback = lib.llama_progress_callback(report)
        if options.tensor_split:
            params.tensor_split = _tensor_split(options.tensor_split)
        self._set_placement(options)

    def _set_placement(self, options: ModelOptions) -> None:
        placement = options.placement
        self._devices = None if placement.devices is None else device_list(placement.devices)
        self._tensor_overrides = tensor_overrides(placement)
        self._metadata_overrides = metadata_overrides(options.metadata_overrides)
        if self._devices is not None:
            self.params.devices = ctypes.addressof(self._devices)
        if self._tensor_overrides is not None:
            self.params.tensor_buft_overrides = ctypes.addressof(self._tensor_overrides)
        if self._metadata_overrides is not None:
            self.params.kv_overrides = self._metadata_overrides


def uses_gpu(options: ModelOptions) -> bool:
    """Whether at least a part of the model is computed on a GPU."""
    is_wanted = options.n_gpu_layers != 0 and options.placement.devices != NO_DEVICE
    return is_wanted and bool(lib.llama_supports_gpu_offload())


def set_numa_strategy(options: ModelOptions) -> None:
    """Lets ggml place its threads on the nodes of the machine; the first call in the process counts."""
    if options.numa is not None:
        lib.llama_numa_init(_NUMA_STRATEGIES[options.numa])


def _tensor_split(shares: Sequence[float]) -> ctypes.Array[ctypes.c_float]:
    n_devices = max(lib.llama_max_devices(), 1)
    if len(shares) > n_devices:
        raise ModelLoadError(f"the tensor split names {len(shares)} GPUs, this build knows at most {n_devices}")
    split: ctypes.Array[ctypes.c_float] = (ctypes.c_float * n_devices)(*shares)
    return split
