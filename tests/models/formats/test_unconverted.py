import pytest

from models.errors import ModelError
from models.formats.unconverted import first_kept

NAMES = [f"model.layers.{index}.{stem}" for index in range(12) for stem in ("self_attn.q_proj", "mlp.down_proj")]


@pytest.mark.parametrize("pattern", [
    "lm_head", "model.norm", "model.embed_tokens", "embed_tokens", "", "model.layers.12", "input_layernorm",
    r"model\.norm", "lm_head.*", "*.norm", r"model.layers.\d+.mlp.up_proj$", "^lm_head$"])
def test_names_of_no_linear_layer_are_harmless(pattern):
    assert first_kept([pattern], NAMES) is None


@pytest.mark.parametrize(("pattern", "name"), [
    ("model.layers.3.mlp.down_proj", NAMES[7]), ("model.layers.3", NAMES[6]), ("model.layers.3.", NAMES[6]),
    ("down_proj", NAMES[1]), ("_proj", NAMES[0]), ("mlp", NAMES[1]), ("mlp.", NAMES[1]), ("layers.0", NAMES[0]),
    ("attn", NAMES[0]), ("model", NAMES[0]), (r"model\.layers\.5\..*", NAMES[10]), (r"model.layers.\d+.mlp", NAMES[1]),
    (".*down_proj", NAMES[1]), ("*.down_proj", NAMES[1]), ("model.layers.*.mlp.down_proj", NAMES[1]),
    ("model.layers.[45]", NAMES[8])])
def test_every_spelling_of_a_linear_layer_is_found(pattern, name):
    assert first_kept(["lm_head", pattern], NAMES) == (pattern, name)


@pytest.mark.parametrize("pattern", ["(.+)+x", ".*" * 9 + "x", "a*" * 150, "(?:mlp|attn)"])
def test_an_expression_that_could_take_for_ever_is_refused(pattern):
    with pytest.raises(ModelError, match="expected names of modules, found"):
        first_kept([pattern], NAMES)
