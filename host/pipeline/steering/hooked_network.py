"""The float network of a model with straight-through gradients, whose residual stream is looked at and changed.

What needs gradients is fitted on it; what is reported of a fit is the exact emulator's. It needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from host.pipeline.observing import SKIPPED
from models.checkpoint import Model
from models.errors import OptionError

if TYPE_CHECKING:
    import torch

    from models.train.network import BitNet

__all__ = ["HookedNetwork", "network_with_gradients"]


def network_with_gradients(model: Model) -> BitNet:
    """The network of a model, its weights fixed; `OptionError` without PyTorch, `ModelError` for a shape that networks
    here do not have."""
    try:
        from models.train.initial import network_of  # late: only fitting needs PyTorch
    except ImportError:
        raise OptionError('this is fitted with PyTorch: pip install "tritloom[train]"') from None
    return network_of(model)


class HookedNetwork:
    """A network whose residual behind each layer is collected, after `change` of (layer, [batch, time, hidden])."""

    def __init__(self, network: BitNet, change: Callable[[int, torch.Tensor], torch.Tensor] | None = None):
        self._network, self._change = network, change

    def states(self, ids: torch.Tensor) -> torch.Tensor:
        """[layers, batch, time, hidden] of passages [batch, time], the first tokens of each left out."""
        import torch

        seen: list[torch.Tensor] = []

        def hook(layer: int, outputs: tuple) -> tuple:
            h = outputs[0] if self._change is None else self._change(layer, outputs[0])
            seen.append(h[:, SKIPPED:])
            return h, *outputs[1:]

        handles = [module.register_forward_hook(lambda _module, _inputs, outputs, layer=layer: hook(layer, outputs))
                   for layer, module in enumerate(self._network.model.layers)]
        try:
            self._network(ids)
        finally:
            for handle in handles:
                handle.remove()
        return torch.stack(seen)
