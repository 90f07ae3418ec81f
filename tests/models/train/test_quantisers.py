"""Fake quantisation against its definition, and its straight-through gradients."""

import pytest

torch = pytest.importorskip("torch")

from models.train.quantisers import FLOOR, quantise_activations, ternarise  # noqa: E402


def test_ternarise_follows_the_definition():
    weight = torch.randn(48, 80, generator=torch.Generator().manual_seed(0))
    scale = 1.0 / weight.abs().mean()
    trits, step = ternarise(weight)
    assert torch.equal(trits, (weight * scale).round().clamp(-1, 1))
    assert step == weight.abs().mean()


def test_ternarise_of_zeros_is_zero_with_the_floor():
    trits, step = ternarise(torch.zeros(4, 4))
    assert torch.equal(trits, torch.zeros(4, 4)) and step == torch.tensor(FLOOR)


def test_activations_are_exact_int8_and_round_half_to_even():
    x = torch.tensor([[127.0, 0.5, 1.5, 2.5, -0.5, -126.6], [0.0] * 6, [1e-6] * 6])
    integers, step = quantise_activations(x)
    assert integers[0].tolist() == [127, 0, 2, 2, 0, -127]
    assert integers[1].tolist() == [0] * 6
    assert integers[2].tolist() == [13] * 6, "the absmax is held at 1e-5, not at the token's 1e-6"
    assert step.shape == (3, 1) and step[0].item() == pytest.approx(1.0)


def test_integers_survive_bfloat16():
    integers, _ = quantise_activations(torch.randn(64, 256, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(integers.bfloat16().float(), integers)


def test_gradients_pass_straight_through():
    weight = torch.randn(8, 8, generator=torch.Generator().manual_seed(0)).mul_(3).requires_grad_()
    trits, step = ternarise(weight)
    (trits * step).sum().backward()
    torch.testing.assert_close(weight.grad, torch.ones(8, 8))
    x = torch.randn(4, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    integers, step = quantise_activations(x)
    (integers * step).sum().backward()
    torch.testing.assert_close(x.grad, torch.ones(4, 16))
