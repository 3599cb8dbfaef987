"""Flags of the GPU: what is computed there."""

from typing import get_args

from server.cli.model_values import MAX_LAYERS, tensor_overrides
from server.cli.parser import Flag, Group, Switch
from server.cli.values import gpu_layers, int_in_range, names, one_of, tensor_split
from slots.options import SplitMode

SPLIT_MODES = get_args(SplitMode)

GPU = Group(
    "GPU",
    "These have an effect if llama.cpp was built with GPU support.",
    Flag(
        "-ngl, --gpu-layers, --n-gpu-layers N",
        "n_gpu_layers",
        gpu_layers,
        "number of layers in GPU memory: a number, 'auto' or 'all'",
        "LLAMA_ARG_N_GPU_LAYERS",
    ),
    Flag(
        "-sm, --split-mode MODE",
        "split_mode",
        one_of(*SPLIT_MODES),
        f"how to split the model over several GPUs: {', '.join(SPLIT_MODES)}",
        "LLAMA_ARG_SPLIT_MODE",
    ),
    Flag(
        "-ts, --tensor-split N0,N1,...",
        "tensor_split",
        tensor_split,
        "proportions of the model on each GPU, such as 3,1",
        "LLAMA_ARG_TENSOR_SPLIT",
    ),
    Flag(
        "-mg, --main-gpu INDEX",
        "main_gpu",
        int_in_range(0),
        "GPU for a model that is not split",
        "LLAMA_ARG_MAIN_GPU",
    ),
    Flag(
        "-dev, --device DEVICE,...",
        "devices",
        names,
        "GPUs to use, by the names that --list-devices shows; none = compute on the CPU alone",
        "LLAMA_ARG_DEVICE",
    ),
    Switch("--list-devices", "list_devices", "show the GPUs and their memory, and exit"),
    Flag(
        "-ot, --override-tensor PATTERN=BUFFER,...",
        "tensor_overrides",
        tensor_overrides,
        "hold tensors whose name has a match of the regular expression in this type of buffer, such as CPU or CUDA0; "
        "may be repeated",
        "LLAMA_ARG_OVERRIDE_TENSOR",
        repeatable=True,
    ),
    Switch("-cmoe, --cpu-moe", "cpu_moe", "keep the weights of experts in host memory", "LLAMA_ARG_CPU_MOE"),
    Flag(
        "-ncmoe, --n-cpu-moe N",
        "n_cpu_moe",
        int_in_range(0, MAX_LAYERS),
        "keep the weights of experts of the first N layers in host memory",
        "LLAMA_ARG_N_CPU_MOE",
    ),
    Flag(
        "-ncffn, --n-cpu-ffn N",
        "n_cpu_ffn",
        int_in_range(0, MAX_LAYERS),
        "keep the dense feed-forward weights of the first N layers in host memory",
        "LLAMA_ARG_N_CPU_FFN",
    ),
    Switch(
        "-kvo, --kv-offload, -nkvo, --no-kv-offload",
        "kv_offload",
        "hold the KV cache in GPU memory",
        "LLAMA_ARG_KV_OFFLOAD",
        off_names=("-nkvo", "--no-kv-offload"),
    ),
    Switch("--op-offload, --no-op-offload", "op_offload", "compute large batches of layers in host memory on the GPU"),
    Switch(
        "--no-host",
        "no_host",
        "hold weights that stay with the CPU in memory that the GPU cannot read, so that they can be repacked",
        "LLAMA_ARG_NO_HOST",
        off_names=(),
    ),
    Switch(
        "-bs, --backend-sampling, --no-backend-sampling",
        "backend_sampling",
        "find the largest logits on the device that computes them, and copy only those from there",
        "LLAMA_ARG_BACKEND_SAMPLING",
    ),
)
