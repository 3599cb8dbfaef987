"""GGUF types: the numbers of tensor types and of file types."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TensorType:
    """How the numbers of a tensor are packed: `block_bytes` bytes hold `block_size` of them."""

    block_size: int
    block_bytes: int


TENSOR_TYPES = {
    0: TensorType(1, 4),  # F32
    1: TensorType(1, 2),  # F16
    2: TensorType(32, 18),  # Q4_0
    3: TensorType(32, 20),  # Q4_1
    6: TensorType(32, 22),  # Q5_0
    7: TensorType(32, 24),  # Q5_1
    8: TensorType(32, 34),  # Q8_0
    9: TensorType(32, 36),  # Q8_1
    10: TensorType(256, 84),  # Q2_K
    11: TensorType(256, 110),  # Q3_K
    12: TensorType(256, 144),  # Q4_K
    13: TensorType(256, 176),  # Q5_K
    14: TensorType(256, 210),  # Q6_K
    15: TensorType(256, 292),  # Q8_K
    16: TensorType(256, 66),  # IQ2_XXS
    17: TensorType(256, 74),  # IQ2_XS
    18: TensorType(256, 98),  # IQ3_XXS
    19: TensorType(256, 50),  # IQ1_S
    20: TensorType(32, 18),  # IQ4_NL
    21: TensorType(256, 110),  # IQ3_S
    22: TensorType(256, 82),  # IQ2_S
    23: TensorType(256, 136),  # IQ4_XS
    24: TensorType(1, 1),  # I8
    25: TensorType(1, 2),  # I16
    26: TensorType(1, 4),  # I32
    27: TensorType(1, 8),  # I64
    28: TensorType(1, 8),  # F64
    29: TensorType(256, 56),  # IQ1_M
    30: TensorType(1, 2),  # BF16
    34: TensorType(256, 54),  # TQ1_0
    35: TensorType(256, 66),  # TQ2_0
    39: TensorType(32, 17),  # MXFP4
    40: TensorType(64, 36),  # NVFP4
    41: TensorType(128, 18),  # Q1_0
    42: TensorType(64, 18),  # Q2_0
}

FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4_MOE",
    39: "NVFP4",
    40: "Q1_0",
    41: "Q2_0",
}
"""The quantization of most tensors of a file, by `general.file_type`."""
