"""Orthogonalisation, and which parameter goes to which optimiser."""

import pytest

torch = pytest.importorskip("torch")

from models.train.optimiser import Muon, build_optimisers, orthogonalise  # noqa: E402


@pytest.mark.parametrize("shape", [(3, 16, 48), (2, 48, 16), (1, 32, 32)])
def test_singular_values_end_near_one_and_vectors_stay(shape):
    stack = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    result = orthogonalise(stack)
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.5 and values.max() < 1.4
    u, _, vh = torch.linalg.svd(stack, full_matrices=False)
    polar = u @ vh
    assert torch.nn.functional.cosine_similarity(result.flatten(1), polar.flatten(1)).min() > 0.97


def test_update_has_the_root_mean_square_of_adam():
    weight = torch.nn.Parameter(torch.zeros(32, 64))
    weight.grad = torch.randn(32, 64, generator=torch.Generator().manual_seed(0)) * 1e-3
    Muon([weight], lr=1.0).step()
    assert weight.square().mean().sqrt().item() == pytest.approx(0.2, rel=0.25)


def test_rescaling_of_a_norm_decays_and_its_gains_do_not():
    from models.train.network import BitNet
    from models.train.recipe import Shape

    network = BitNet(Shape(vocab=280, hidden=64, ffn=64, layers=2, heads=2, kv_heads=1, head_dim=32, context=32,
                           norm="seednorm"))
    plain, decayed = build_optimisers(network, lr=1e-3, weight_decay=0.1, embedding_lr=2e-3)[1].param_groups
    names = {id(p): n for n, p in network.named_parameters()}
    assert {names[id(p)].rpartition(".")[2] for p in decayed["params"]} == {"alpha", "beta"}
    assert len(decayed["params"]) == 8 and (decayed["weight_decay"], decayed["peak"]) == (0.1, 2e-3)
    assert plain["weight_decay"] == 0 and len(plain["params"]) == 1 + 4 * 2 + 1


def test_matrices_of_layers_go_to_muon_alone(network):
    muon, adam = build_optimisers(network, lr=1e-3, weight_decay=0.1, embedding_lr=2e-3)
    names = {id(p): n for n, p in network.named_parameters()}
    in_muon = {names[id(p)] for p in muon.param_groups[0]["params"]}
    in_adam = {names[id(p)] for p in adam.param_groups[0]["params"]}
    assert in_muon == {n for n in names.values() if "_proj" in n}
    assert in_adam == set(names.values()) - in_muon
    assert (muon.param_groups[0]["peak"], adam.param_groups[0]["peak"]) == (1e-3, 2e-3)
