"""The guide of attention: what it adds to a loss, and that training follows it."""

import pytest

torch = pytest.importorskip("torch")

from models.eviction import everything  # noqa: E402
from models.train import evicting  # noqa: E402
from models.train.evicting import EvictingBitNet, ScheduledText, scheduled  # noqa: E402
from models.train.guide import NOWHERE, Guide, guide_loss, with_loss  # noqa: E402


def test_a_loss_that_is_added_trains_and_changes_no_value():
    x, w = torch.ones(3, requires_grad=True), torch.ones(2, requires_grad=True)
    y = with_loss(x * 2, (w * w).sum())
    assert torch.equal(y, torch.full((3,), 2.0))
    y.sum().backward()
    assert x.grad.tolist() == [2, 2, 2] and w.grad.tolist() == [2, 2]


def test_training_follows_the_guide(network, monkeypatch):
    monkeypatch.setattr(evicting, "GUIDES", (Guide(1, 0, "before"),))
    guided = EvictingBitNet(network.shape, guided=1.0).train()
    guided.load_state_dict(network.state_dict())
    ids = torch.randint(280, (24,), generator=torch.Generator().manual_seed(0))
    inputs, _ = scheduled([ScheduledText(ids, ids, torch.full_like(ids, NOWHERE), everything(24))], 5)
    seen, given = torch.ones(24, 24).tril().bool()[None, None], {}
    attention = guided.model.layers[1].self_attn
    attention.register_forward_pre_hook(lambda _, arguments: given.update(last=arguments))
    optimiser = torch.optim.Adam(guided.parameters(), 3e-3)
    losses = []
    for _ in range(30):
        (guided(inputs) * 0).sum().backward()
        losses.append(guide_loss(attention, given["last"], 0, inputs[:, 3]).item())
        optimiser.step()
        optimiser.zero_grad()
    assert losses[-1] < losses[0] - 0.5
    assert given["last"][4].equal(seen)


def test_rows_that_are_told_nothing_cost_nothing(network):
    guided = EvictingBitNet(network.shape, guided=1.0).train()
    x = torch.randn(1, 4, network.shape.hidden)
    given = (x, guided.cos[:4], guided.sin[:4], torch.float32, torch.ones(4, 4).tril().bool()[None, None])
    attention = guided.model.layers[0].self_attn
    assert guide_loss(attention, given, 0, torch.full((1, 4), NOWHERE)).item() == 0
    told = torch.tensor([[NOWHERE, NOWHERE, NOWHERE, 0]])
    assert guide_loss(attention, given, 1, told).item() == pytest.approx(1.386, abs=0.3), "near -log 1/4"
