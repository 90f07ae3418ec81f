"""Muon for the ternary matrices, AdamW for the embedding and the norm gains.

Muon (K. Jordan, 2024) replaces a momentum matrix by the nearest semi-orthogonal one, found with a quintic
Newton–Schulz iteration. Updates are scaled to the root mean square that AdamW gives (J. Liu et al., "Muon is
Scalable for LLM Training", 2025), so one learning rate serves both.
"""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn

__all__ = ["Muon", "build_optimisers", "orthogonalise"]

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
MATCH_ADAM_RMS = 0.2


def orthogonalise(stack: Tensor, iterations: int = 5, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Nearest semi-orthogonal matrices of a stack (count, rows, columns), approximately, computed in `dtype`.

    Singular values end between about 0.7 and 1.2, which is all that Muon needs.
    """
    a, b, c = COEFFICIENTS
    tall = stack.shape[-2] > stack.shape[-1]
    x = (stack.mT if tall else stack).to(dtype)
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised in `dtype`, for parameters that are matrices. Decay is decoupled, as in AdamW."""

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0,
                 dtype: torch.dtype = torch.bfloat16):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            by_shape = defaultdict(list)
            for p in group["params"]:
                by_shape[p.shape].append(p)
            for shape, params in by_shape.items():
                momenta = torch.stack([self._nesterov(p, group["momentum"]) for p in params])
                update = orthogonalise(momenta, dtype=self.dtype)
                scale = MATCH_ADAM_RMS * max(shape) ** 0.5
                for p, u in zip(params, update, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"]).add_(u, alpha=-group["lr"] * scale)

    def _nesterov(self, p: nn.Parameter, momentum: float) -> Tensor:
        state = self.state[p]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        buffer = state["momentum"].lerp_(p.grad, 1 - momentum)
        return p.grad.lerp(buffer, momentum)


def build_optimisers(
    network: nn.Module, lr: float, weight_decay: float, embedding_lr: float, dtype: torch.dtype = torch.bfloat16
) -> list[torch.optim.Optimizer]:
    """Muon over the projections, AdamW over the rest; only matrices of the layers and SeeDNorm's alpha and beta decay.

    Parameters that need no gradient are left out, and an optimiser that has none then. Muon's products are computed in
    `dtype`. Each group keeps its peak rate under "peak", for a schedule to multiply.
    """
    free = {n: p for n, p in network.named_parameters() if p.requires_grad}
    matrices = [p for n, p in free.items() if p.ndim == 2 and "embed" not in n]
    rest = {n: p for n, p in free.items() if p.ndim != 2 or "embed" in n}
    rescaling = [rest.pop(n) for n in list(rest) if n.endswith(("norm.alpha", "norm.beta"))]
    groups: list[dict[str, object]] = [{"params": list(rest.values())}] if rest else []
    if rescaling:
        groups.append({"params": rescaling, "weight_decay": weight_decay})
    optimisers: list[torch.optim.Optimizer] = []
    if matrices:
        optimisers.append(Muon(matrices, lr=lr, weight_decay=weight_decay, dtype=dtype))
    if groups:
        optimisers.append(torch.optim.AdamW(groups, lr=embedding_lr, betas=(0.9, 0.95), weight_decay=0.0))
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return optimisers
