"""Stages trained with a network: from a few steps of training to the emulator's logits beside the network's own."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

import host.pipeline.__main__ as pipeline
from host import score
from host.devices.emulator import EmulatorDevice
from host.pipeline.loading import load_stages
from host.pipeline.placement import host_steps, place
from host.pipeline.trained import trained_tensors
from host.runtime import Session
from models.checkpoint import load_model
from models.convert import convert, report
from models.errors import ModelError
from models.machine.build import CPU
from tests.host.test_accuracy import check
from tests.host.test_commands import refused, run

torch = pytest.importorskip("torch")

from models.train.corpus import Sampler, encode  # noqa: E402
from models.train.export import export  # noqa: E402
from models.train.loop import train  # noqa: E402
from models.train.network import BitNet  # noqa: E402
from models.train.recipe import Recipe, Shape  # noqa: E402
from models.train.tokenizer import train_tokenizer  # noqa: E402

TEXT = "It was the best of walks, and she said that it was little.\nAnd the king spake unto them in the field.\n" * 60
SHAPE = Shape(vocab=272, hidden=64, ffn=128, layers=2, heads=2, kv_heads=1, head_dim=32, context=32, norm_heads=2)
VARIANTS = {"seednorm": ("normalisation", {"norm": "seednorm"}), "ash": ("activation", {"activation": "ash"}),
            "crrelu": ("activation", {"activation": "crrelu"}),
            "spark": ("activation", {"activation": "spark", "kept": 0.3}),
            "x-cos": ("activation", {"activation": "x-cos"})}
IDS = np.random.default_rng(4).integers(0, 272, 24)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([TEXT], SHAPE.vocab)


@pytest.fixture(scope="module", params=VARIANTS)
def trained(request, tokenizer, tmp_path_factory):
    """Kind, method, the network after some steps, its folder, the converted model's."""
    kind, changes = VARIANTS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    torch.set_num_threads(1)  # two on a busy machine wait for each other, thirty times as long
    torch.manual_seed(1)
    network = BitNet(replace(SHAPE, **changes))
    sampler = Sampler([encode(tokenizer, [TEXT])], [1.0], batch=4, context=32, seed=1)
    recipe = Recipe(steps=40, warmup=5, decay=0.5, embedding_lr=2e-2, save_every=40)
    train(network, sampler, recipe, folder / "checkpoint.pt", lambda: "")
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith(".beta"):
                parameter.mul_(30)  # so far that tanh is not its argument
    export(network.eval(), tokenizer, folder / "trained")
    convert(folder / "trained", folder / "model")
    return kind, request.param, network, folder / "trained", folder / "model"


def test_the_emulator_gives_the_networks_logits(trained, tmp_path, capsys):
    kind, method, network, checkpoint, converted = trained
    artefact, model = tmp_path / "artefact", load_model(converted)
    fitted = run(pipeline, "fit", "--kind", kind, "--method", method, "--checkpoint", checkpoint, "--model", converted,
                 "-o", artefact, "--json", capsys=capsys)
    assert fitted["fit"] == {"checkpoint": "trained"}
    placement = place([stage for _, stage in load_stages(model, [str(artefact)])], model)
    session = Session(model, EmulatorDevice(CPU), host_steps=host_steps(placement, model))
    logits = session.score(IDS.tolist()) / 65536
    assert session.saturations == 0
    with torch.no_grad():
        check(logits, network(torch.from_numpy(IDS)[None])[0].numpy(), 0.9995)
    ids = ",".join(map(str, IDS.tolist()))
    found = run(score, "--model", converted, "--ids", ids, "--stage", artefact, "--json", capsys=capsys)
    assert found["stages"][0]["runs"] == "cpu" and found["stages"][0]["method"] == method


def test_without_its_stage_the_model_is_refused(trained, capsys):
    _, method, _, _, converted = trained
    assert f"was trained with {method}, and " in refused(score, "--model", converted, "--ids", "1,2", capsys=capsys)
    assert any(f"needs its {method}, a stage: " in note for note in report(converted)["notes"])


@pytest.mark.parametrize("tensors, message", [
    ({"a": np.zeros(3, np.float32)}, r"tensor a: expected F32 \[2\], found F32 \[3\]"),
    ({"a": np.zeros(2)}, r"tensor a: expected F32 \[2\], found F64 \[2\]"),
    ({"a": np.array([0, np.inf], np.float32)}, "tensor a: expected finite numbers"),
    ({}, r"tensor a: expected F32 \[2\], found none"),
    ({"a": np.zeros(2, np.float32), "b": np.zeros(1)}, r"tensor b: expected none, found F64 \[1\]")])
def test_tensors_that_are_not_the_methods_are_refused(tmp_path, tensors, message):
    save_file(tensors, tmp_path / "some.safetensors")
    with pytest.raises(ModelError, match=message):
        trained_tensors(load_model("demo"), tmp_path, "some", {"a": (2,)})


def test_a_folder_that_is_not_the_models_is_refused(trained, tmp_path, capsys):
    kind, method, network, checkpoint, converted = trained
    other = tmp_path / "other"

    def fit():
        return refused(pipeline, "fit", "--kind", kind, "--method", method, "--checkpoint", other, "--model", converted,
                       "-o", tmp_path / "x", capsys=capsys)

    shutil.copytree(checkpoint, other)
    values = torch.nn.Parameter(network.model.norm.weight * 2)
    tensors = {**network.state_dict(), "model.norm.weight": values}
    changed = BitNet(network.shape)
    changed.load_state_dict(tensors)
    export(changed, train_tokenizer([TEXT], SHAPE.vocab), other)
    assert f"{converted} was not converted from {other}: its numbers are others" in fit()
    (other / f"{method}.safetensors").write_bytes(b"none")
    assert f"{method}.safetensors: expected a whole safetensors file" in fit()
    (other / f"{method}.safetensors").unlink()
    assert f"{other} has no {method}.safetensors: it was not trained with {method}" in fit()
    assert not (tmp_path / "x").exists()
