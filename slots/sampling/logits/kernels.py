"""The compiled kernels. Where there was no compiler at installation, numpy gives the same tokens, but slower."""

try:
    from slots.sampling.logits import sampling_kernel, top_k_kernel

    IS_COMPILED = True
except ImportError:
    IS_COMPILED = False

__all__ = ["IS_COMPILED", "sampling_kernel", "top_k_kernel"]
