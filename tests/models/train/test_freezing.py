"""Freezing: what is not named stays, bit for bit, through steps of either optimiser."""

import pytest

torch = pytest.importorskip("torch")

from models.errors import OptionError  # noqa: E402
from models.train.corpus import Sampler, encode  # noqa: E402
from models.train.freezing import free_only  # noqa: E402
from models.train.loop import train  # noqa: E402
from models.train.recipe import Recipe  # noqa: E402

UP = "model.layers.1.mlp.up_proj.weight"


@pytest.mark.parametrize("names, free", [
    (["layers.1.mlp.up_proj"], [UP]),
    ([UP], [UP]),
    (["layers.*.mlp.up_proj"], ["model.layers.0.mlp.up_proj.weight", UP]),
    (["norm", "layers.1.mlp.up_proj"], [UP, "model.norm.weight"]),
    (["embed_tokens"], ["model.embed_tokens.weight"]),
])
def test_only_the_named_tensors_change(network, tokenizer, text, tmp_path, names, free):
    assert free_only(network, names) == free
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    sampler = Sampler([encode(tokenizer, [text])], [1.0], batch=2, context=16, seed=0)
    train(network, sampler, Recipe(steps=3, warmup=1, weight_decay=0.5), tmp_path / "c.pt", lambda: "")
    changed = [name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])]
    assert changed == free


def test_naming_again_frees_what_was_frozen(network):
    free_only(network, ["norm"])
    assert free_only(network, ["*"]) == [name for name, _ in network.named_parameters()]
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_a_name_that_no_tensor_has_is_refused(network):
    with pytest.raises(OptionError, match="--only layers.7.* names no tensor; the first of them is embed_tokens"):
        free_only(network, ["norm", "layers.7.*"])
