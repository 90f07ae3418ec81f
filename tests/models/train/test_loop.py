"""Training: it learns, a resumed run equals an unbroken one, and the schedule."""

import pytest

torch = pytest.importorskip("torch")

from models.errors import ModelError  # noqa: E402
from models.train.corpus import Sampler, encode  # noqa: E402
from models.train.loop import restore, train  # noqa: E402
from models.train.network import BitNet, spread  # noqa: E402
from models.train.recipe import Recipe  # noqa: E402


def start(network, tokenizer, text, seed=0):
    torch.manual_seed(seed)
    fresh = BitNet(network.shape, dropout=0.1)
    return fresh, Sampler([encode(tokenizer, [text])], [1.0], batch=4, context=32, seed=seed)


def recipe(**changes):
    return Recipe(**{"steps": 12, "warmup": 2, "decay": 0.25, "save_every": 6, **changes})


def test_loss_falls(network, tokenizer, text, tmp_path):
    fresh, sampler = start(network, tokenizer, text)
    inputs, targets = sampler(999)

    def loss():
        with torch.no_grad():
            return torch.nn.functional.cross_entropy(fresh(inputs).flatten(0, 1), targets.flatten()).item()

    before = loss()
    train(fresh, sampler, recipe(steps=40), tmp_path / "c.pt", lambda: "")
    assert loss() < before - 1.5


def test_a_resumed_run_equals_an_unbroken_one(network, tokenizer, text, tmp_path):
    whole, sampler = start(network, tokenizer, text)
    train(whole, sampler, recipe(), tmp_path / "whole.pt", lambda: "")

    class Interrupted(Exception):
        pass

    def interrupt():
        raise Interrupted

    broken, sampler = start(network, tokenizer, text)
    with pytest.raises(Interrupted):
        train(broken, sampler, recipe(), tmp_path / "broken.pt", interrupt)
    resumed, sampler = start(network, tokenizer, text, seed=0)
    train(resumed, sampler, recipe(), tmp_path / "broken.pt", lambda: "", resume=True)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_l1_makes_the_products_of_the_feed_forward_sparser(network, tokenizer, text, tmp_path):
    def spread_after(l1):
        fresh, sampler = start(network, tokenizer, text)
        train(fresh, sampler, recipe(steps=40, l1=l1), tmp_path / "c.pt", lambda: "")
        with torch.no_grad():
            return spread(fresh.eval().forward_products(sampler(999)[0])[1]).item()

    assert spread_after(2.0) < 0.8 * spread_after(0.0)


def test_spread_knows_no_scale():
    products = torch.tensor([[[1.0, 0, 0, 0], [1, 1, 1, 1]]])
    assert spread([products]).item() == pytest.approx((0.5 + 1) / 2)
    assert spread([products * 100]).item() == pytest.approx(spread([products]).item())
    assert spread([torch.zeros(1, 2, 4)]).item() == 0


def test_l1_rises_in_stages_along_sines():
    r = recipe(steps=80, l1=0.4, l1_stages=4)
    held, stage = [r.l1_factor(s) for s in range(20)], [r.l1_factor(s) for s in range(20, 41)]
    assert held == [0.1] * 20
    assert stage[0] == 0.1 and stage[10] == pytest.approx(0.15) and stage[20] == pytest.approx(0.2)
    steps = [after - before for before, after in zip(stage, stage[1:], strict=False)]
    assert steps[0] < steps[9] / 5 and steps[-1] < steps[9] / 5, "flat at both ends"
    assert r.l1_factor(80) == pytest.approx(0.4)


def test_no_checkpoint_is_one_clear_error(network, tmp_path):
    with pytest.raises(ModelError, match="no checkpoint of this run"):
        restore(network, tmp_path / "absent.pt")


def test_rate_warms_up_holds_and_ends_at_zero():
    r = recipe(steps=100, warmup=10, decay=0.5)
    assert [r.rate(s) for s in (0, 9, 50, 75, 100)] == [0.1, 1.0, 1.0, 0.5, 0.0]
    longer = recipe(steps=200, warmup=10, decay=0.5)
    assert [r.rate(s) for s in range(50)] == [longer.rate(s) for s in range(50)]
