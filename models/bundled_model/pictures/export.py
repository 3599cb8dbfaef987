"""Export: writes a tower as the GGUF file that llama-slots and llama.cpp take with `--mmproj`."""

from pathlib import Path

import gguf
import numpy as np
import torch

from models.bundled_model.pictures.tower import Tower, TowerShape

NAME = "llama-slots bundled, eyes for drawn shapes"
LICENCE = "MIT"
PROJECTOR = "janus_pro"


def tensor_name(parameter: str) -> str:
    """llama.cpp's name of a parameter of the tower."""
    if parameter == "position_embd":
        return "v.position_embd.weight"
    if parameter.startswith("mm"):
        return parameter.replace("mm0", "mm.0").replace("mm1", "mm.1")
    return f"v.{parameter}"


def add_header(writer: gguf.GGUFWriter, shape: TowerShape) -> None:
    """Adds the general metadata and the shape of the tower."""
    writer.add_name(NAME)
    writer.add_license(LICENCE)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", PROJECTOR)
    writer.add_bool("clip.use_gelu", True)
    writer.add_uint32("clip.vision.image_size", shape.image_size)
    writer.add_uint32("clip.vision.patch_size", shape.patch_size)
    writer.add_uint32("clip.vision.embedding_length", shape.width)
    writer.add_uint32("clip.vision.feed_forward_length", shape.feed_forward)
    writer.add_uint32("clip.vision.projection_dim", shape.projection_width)
    writer.add_uint32("clip.vision.block_count", shape.layers)
    writer.add_uint32("clip.vision.attention.head_count", shape.heads)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", shape.norm_epsilon)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])


def load_tower(path: Path) -> Tower:
    """Reads a file that `export` wrote."""
    reader = gguf.GGUFReader(path)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    tower = Tower(TowerShape(tensors["mm.1.bias"].data.size))
    weights = {
        name: torch.from_numpy(tensors[tensor_name(name)].data.astype(np.float32)).reshape(parameter.shape)
        for name, parameter in tower.state_dict().items()
    }
    tower.load_state_dict(weights)
    return tower


def export(tower: Tower, path: Path) -> None:
    """Writes the weights, matrices as float16 and vectors as float32."""
    writer = gguf.GGUFWriter(path, "clip")
    add_header(writer, tower.shape)
    for parameter, weights in tower.state_dict().items():
        dtype = np.float16 if weights.ndim > 1 and parameter != "position_embd" else np.float32
        writer.add_tensor(tensor_name(parameter), weights.float().numpy().astype(dtype))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
