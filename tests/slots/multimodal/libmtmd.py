"""libmtmd's own evaluation of a text with media, as an oracle."""

import ctypes
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
import llama_cpp.mtmd_cpp as mtmd
import numpy as np
import numpy.typing as npt

from slots.llama import Context, Model
from slots.options import ContextOptions, ModelOptions

N_BATCH = 512


def evaluate(
    model_file: Path, projector: Path, text: str, files: list[bytes], options: ContextOptions
) -> npt.NDArray[np.float64]:
    """Returns the log probabilities after a text, in which <__media__> stands for each file, of shape (vocabulary,)."""
    model = Model(ModelOptions(model_file), lambda _share: None)
    context = Context(model, options)
    params = mtmd.mtmd_context_params_default()
    params.use_gpu = params.print_timings = params.warmup = False
    params.n_threads = 1
    handle = mtmd.mtmd_init_from_file(str(projector).encode(), model.weights.handle, params)
    assert handle
    chunks = mtmd.mtmd_input_chunks_init()
    bitmaps = [_bitmap(handle, data) for data in files]
    data = text.encode()
    given = mtmd.mtmd_input_text(text=data, text_len=len(data), add_special=True, parse_special=True)
    array = (ctypes.c_void_p * len(bitmaps))(*bitmaps)
    assert mtmd.mtmd_tokenize(handle, chunks, ctypes.byref(given), array, len(bitmaps)) == 0
    n_past = ctypes.c_int32()
    code = mtmd.mtmd_helper_eval_chunks(handle, context.handle, chunks, 0, 0, N_BATCH, True, ctypes.byref(n_past))
    assert code == 0
    pointer = lib.llama_get_logits_ith(context.handle, -1)
    logits = np.ctypeslib.as_array(pointer, shape=(model.vocab.n_tokens,)).astype(np.float64)
    mtmd.mtmd_input_chunks_free(chunks)
    for bitmap in bitmaps:
        mtmd.mtmd_bitmap_free(bitmap)
    mtmd.mtmd_free(handle)
    context.close()
    shifted = logits - logits.max()
    result: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum())
    return result


def _bitmap(handle: Any, data: bytes) -> Any:
    buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
    bitmap = mtmd.mtmd_helper_bitmap_init_from_buf(handle, buffer, len(data), False)
    assert bitmap
    return bitmap
