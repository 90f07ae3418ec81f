"""What of a network a stage computes, and in which file of the training folder it lies.

`host.pipeline fit --checkpoint` makes artefacts of these files. A file METHOD.safetensors holds float32 tensors in the
shapes of the method's artefact.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from models.config import HOST_ACTIVATIONS
from models.train.network import BitNet
from models.train.recipe import Shape

__all__ = ["joined_stages", "split_stages", "stage_files"]

_NORMS = ("input_layernorm", "post_attention_layernorm")
_PARTS: Mapping[str, tuple[str, ...]] = {"seednorm": ("alpha", "beta"), "ash": ("alpha", "z"), "crrelu": ("epsilon",),
                                         "spark": ("z",), "x-cos": ()}


def stage_files(shape: Shape) -> list[str]:
    """The files beside a checkpoint of a network of this shape."""
    return [f"{method}.safetensors" for method in _methods(shape)]


def split_stages(network: BitNet) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
    """The checkpoint's tensors, float32, and those of each stage's file.

    seednorm: alpha and beta [layers, 2, hidden], of the norms before attention and before the feed-forward; heads [1].
    Activation functions: their parameters [layers].
    """
    tensors = {name: tensor.detach().float().contiguous() for name, tensor in network.state_dict().items()}
    shape, stages = network.shape, {}
    for method in _methods(shape):
        parts = {part: torch.stack([torch.stack([tensors.pop(name) for name in names])
                                    for names in _names(shape.layers, method, part)]) for part in _PARTS[method]}
        if method == "seednorm":
            parts["heads"] = torch.tensor([float(shape.norm_heads)])
        else:
            parts = {part: values[:, 0].contiguous() for part, values in parts.items()}
        stages[f"{method}.safetensors"] = parts
    return tensors, stages


def joined_stages(tensors: Mapping[str, Tensor], stages: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The network's state from what `split_stages` gave."""
    state = dict(tensors)
    for file, stage in stages.items():
        method = file.removesuffix(".safetensors")
        for part in _PARTS[method]:
            values = stage[part]
            for layer, names in enumerate(_names(len(values), method, part)):
                state |= zip(names, values[layer].reshape(len(names), *values.shape[2:]), strict=True)
    return state


def _methods(shape: Shape) -> list[str]:
    return [name for name in (shape.norm, shape.activation) if name in _PARTS]


def _names(layers: int, method: str, part: str) -> list[list[str]]:
    """For each layer the parameters that a part is made of."""
    owners = ("mlp.activation",) if method in HOST_ACTIVATIONS else _NORMS
    return [[f"model.layers.{layer}.{owner}.{part}" for owner in owners] for layer in range(layers)]
