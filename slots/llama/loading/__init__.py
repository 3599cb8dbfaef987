"""How a model file is loaded: on which devices, where its tensors are, and with which metadata."""

from slots.llama.loading.devices import Device, find_devices
from slots.llama.loading.model_params import LoadArguments, set_numa_strategy, uses_gpu

__all__ = ["Device", "LoadArguments", "find_devices", "set_numa_strategy", "uses_gpu"]
