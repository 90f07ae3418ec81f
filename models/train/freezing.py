"""Fine-tuning some tensors of a network while all others stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import nn

from models.errors import OptionError

__all__ = ["free_only"]


def free_only(network: nn.Module, names: Sequence[str]) -> list[str]:
    """Lets only the named parameters train, and returns their names, in the network's order.

    names: of checkpoints' tensors, with or without the leading `model.` and the trailing `.weight`; `*` stands for
    anything, as in `layers.*.mlp.down_proj`. A frozen projection keeps its trits and its scale exactly. `OptionError`
    for a name that no parameter has.
    """
    shown = {name: name.removeprefix("model.").removesuffix(".weight") for name, _ in network.named_parameters()}
    free = set()
    for wanted in names:
        pattern = wanted.removeprefix("model.").removesuffix(".weight")
        found = {name for name, short in shown.items() if fnmatchcase(short, pattern)}
        if not found:
            raise OptionError(f"--only {wanted} names no tensor; the first of them is {next(iter(shown.values()))}")
        free |= found
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in free)
    return [name for name in shown if name in free]
