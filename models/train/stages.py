"""What of a network a stage computes, and in which file of the training folder it lies.

`host.pipeline fit --checkpoint` makes artefacts of these files. A file METHOD.safetensors holds float32 tensors in the
shapes of the method's artefact.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from models.train.network import BitNet
from models.train.recipe import Shape

__all__ = ["joined_stages", "split_stages", "stage_files"]

_NORMS = ("input_layernorm", "post_attention_layernorm")


def stage_files(shape: Shape) -> list[str]:
    """The files beside a checkpoint of a network of this shape."""
    return ["seednorm.safetensors"] if shape.norm == "seednorm" else []


def split_stages(network: BitNet) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    """The checkpoint's tensors, float32, and those of each stage's file.

    seednorm: alpha and beta [layers, 2, hidden], of the norms before attention and before the feed-forward; heads [1].
    """
    tensors = {name: tensor.detach().float().contiguous() for name, tensor in network.state_dict().items()}
    shape, stages = network.shape, {}
    if shape.norm == "seednorm":
        stages["seednorm.safetensors"] = {"heads": torch.tensor([float(shape.norm_heads)])} | {
            part: torch.stack([torch.stack([tensors.pop(name) for name in names])
                               for names in _names(shape.layers, part)]) for part in ("alpha", "beta")}
    return tensors, stages


def joined_stages(tensors: Mapping[str, Tensor], stages: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The network's state from what `split_stages` gave."""
    state = dict(tensors)
    if (stage := stages.get("seednorm.safetensors")) is not None:
        for part in ("alpha", "beta"):
            values = stage[part]
            for layer, names in enumerate(_names(len(values), part)):
                state |= zip(names, values[layer], strict=True)
    return state


def _names(layers: int, part: str) -> list[list[str]]:
    return [[f"model.layers.{layer}.{norm}.{part}" for norm in _NORMS] for layer in range(layers)]
