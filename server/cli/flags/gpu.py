"""Flags of the GPU: what is computed there."""

from typing import get_args

from server.cli.parser import Flag, Group, Switch
from server.cli.values import gpu_layers, int_in_range, one_of, tensor_split
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
    Switch(
        "-bs, --backend-sampling, --no-backend-sampling",
        "backend_sampling",
        "find the largest logits on the device that computes them, and copy only those from there",
        "LLAMA_ARG_BACKEND_SAMPLING",
    ),
)
