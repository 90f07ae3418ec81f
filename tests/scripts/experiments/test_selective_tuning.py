"""Which matrices a choice frees, what a fine-tune changes, and what was forgotten at a gain."""

import numpy as np
import pytest

from host.pipeline.audit.condition import Conditioned
from models.checkpoint import load_model
from models.dequantise import float_model
from models.errors import OptionError
from scripts.experiments.selective_tuning import Choice, Loss, Settings, Tuned, choices, forgotten_at, new_text, tune

WIDE = [Conditioned(layer, name, (8, 4), 0.6, number, (4.0,))
        for layer, name, number in ((0, "gate", 3.0), (0, "up", 5.0), (1, "gate", 6.0), (1, "up", 4.0))]
SQUARE = [Conditioned(layer, "q", (4, 4), 0.6, number, (90.0,)) for layer, number in ((0, float("inf")), (1, 80.0))]
UP = "layers.1.mlp.up_proj"


def test_choices_follow_condition_numbers_and_shapes():
    found = {(one.what, one.draw): one for one in choices([*SQUARE, *WIDE], 2, 3)}
    assert len(found["all", 0].tensors) == 6 and found["all", 0].weights == 4 * 32 + 2 * 16
    assert found["lowest", 0].tensors == ("layers.0.mlp.gate_proj", UP)
    assert found["highest", 0].tensors == ("layers.0.self_attn.q_proj", "layers.1.self_attn.q_proj")
    alike = found["highest of the lowest's shapes", 0]
    assert alike.tensors == ("layers.0.mlp.up_proj", "layers.1.mlp.gate_proj") and alike.weights == 64
    draws = [found["random", draw].tensors for draw in range(3)]
    assert all(len(tensors) == 2 for tensors in draws) and len(set(draws)) > 1
    assert all("mlp" in name for draw in range(3) for name in found["random of the lowest's shapes", draw].tensors)


def test_the_new_text_is_divided_without_overlap():
    new, held_out = ({" ".join(part.split()) for part in text.split("\n\n")} for text in new_text())
    assert not new & held_out and 2.5 < len(new) / len(held_out) < 3.5
    assert any("statement" in part for part in held_out)


PATH = [Loss(0, 6.0, (3.0, 3.4)), Loss(10, 5.5, (3.1, 3.5)), Loss(20, 5.6, (3.2, 3.6)), Loss(30, 5.0, (3.4, 3.6))]


@pytest.mark.parametrize("gain, forgotten", [(0.5, 0.1), (0.25, 0.05), (0.7, 0.25), (1.0, 0.3), (1.01, None)])
def test_forgetting_is_read_where_a_gain_is_first_reached(gain, forgotten):
    assert forgotten_at(PATH, gain) == (None if forgotten is None else pytest.approx(forgotten))


def test_a_fine_tune_moves_its_own_matrices_and_is_done_once(tmp_path, capsys):
    pytest.importorskip("torch")
    choice, settings = Choice("lowest", 0, (UP,), 1), Settings(steps=1, every=1, batch=1, window=8, rate=0.5, scored=9)
    ids = [list(range(400 + 9 * part, 409 + 9 * part)) for part in range(3)]
    tuned = tune(choice, 3, settings, "And it came to pass in those days, that it was so. " * 9, ids, tmp_path / "run")
    assert [loss.step for loss in tuned.path] == [0, 1] and len(tuned.path[0].old) == 2
    assert abs(tuned.floating.new - tuned.path[-1].new) < 0.1 < abs(tuned.path[-1].new - tuned.path[0].new)
    before, after = (float_model(load_model(folder)).layers for folder in ("demo", tmp_path / "run" / "model"))
    moved = {f"{layer} {name}" for layer, (old, new) in enumerate(zip(before, after, strict=True))
             for name in old.linears if not np.array_equal(old.linears[name].trits, new.linears[name].trits)
             or abs(old.linears[name].scale / new.linears[name].scale - 1) > 1e-5}
    assert moved == {"1 up"}
    (tmp_path / "run" / "checkpoint.pt").unlink()
    assert tune(choice, 3, settings, "other", ids, tmp_path / "run") == tuned
    assert isinstance(tuned, Tuned) and not (tmp_path / "run" / "checkpoint.pt").exists()
    with pytest.raises(OptionError, match="made with other options"):
        tune(choice, 4, settings, "other", ids, tmp_path / "run")
