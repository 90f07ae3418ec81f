import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from models.checkpoint import check_target, load_config, load_model, save_model
from models.config import PRESETS, ModelConfig
from models.errors import ModelError
from models.integers import head_of_embedding
from models.model import GroupedTable
from models.safetensors_file import PADDING, SafetensorsFile, SafetensorsWriter
from models.synth import synthetic_model
from models.vocabulary import ChatFormat, TextParts
from tests.families import GROUPED
from tests.models.small import PLAIN, SMALL


def assert_equal(a, b):
    assert a.config == b.config
    assert a.residual_fraction_bits == b.residual_fraction_bits
    assert a.provenance == b.provenance
    for field in ("embedding", "embedding_exponents", "head", "head_scales"):
        left, right = getattr(a, field), getattr(b, field)
        if not isinstance(left, GroupedTable):
            np.testing.assert_array_equal(left, right, strict=True)
        else:
            np.testing.assert_array_equal(left.packed, right.packed, strict=True)
            np.testing.assert_array_equal(left.mantissas, right.mantissas, strict=True)
    for (m, e), (n, f) in [(a.final_gains, b.final_gains)] + [
            (a.layers[i].gains[k], b.layers[i].gains[k]) for i in range(len(a.layers)) for k in a.layers[i].gains]:
        np.testing.assert_array_equal(m, n, strict=True)
        assert e == f
    for left, right in zip(a.layers, b.layers, strict=True):
        assert left.linears.keys() == right.linears.keys()
        assert left.gains.keys() == right.gains.keys()
        for name, matrix in left.linears.items():
            np.testing.assert_array_equal(matrix.packed, right.linears[name].packed, strict=True)
            assert matrix.unit == right.linears[name].unit
            if a.config.grouped:
                np.testing.assert_array_equal(matrix.mantissas, right.linears[name].mantissas, strict=True)
                assert matrix.shift == right.linears[name].shift
            assert matrix.shape == right.linears[name].shape


@pytest.mark.parametrize("config", [SMALL, PLAIN, *GROUPED.values()], ids=lambda c: c.name)
def test_a_saved_model_loads_as_it_was(tmp_path, config):
    model = synthetic_model(config, 3)
    save_model(model, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert_equal(model, loaded)
    assert loaded.folder == tmp_path / "m"
    assert load_config(tmp_path / "m") == config
    stored = loaded.embedding.packed if config.grouped_tables else loaded.embedding
    assert not stored.flags.writeable
    assert (loaded.head is loaded.embedding) == (config.grouped_tables and config.tied_head)


def test_saving_twice_gives_the_same_bytes(tmp_path):
    for name in "ab":
        save_model(synthetic_model(SMALL, 3), tmp_path / name)
    for file in ("model.json", "model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_other_programs_read_the_tensors(tmp_path):
    model = synthetic_model(PLAIN, 3)
    save_model(model, tmp_path / "m")
    tensors = load_file(tmp_path / "m" / "model.safetensors")
    np.testing.assert_array_equal(tensors["layers.1.down.trits"], model.layers[1].linears["down"].packed, strict=True)
    np.testing.assert_array_equal(tensors["head.scales"], model.head_scales, strict=True)


def test_every_tensor_can_be_mapped_to_a_cache_line(tmp_path):
    save_model(synthetic_model(PLAIN, 3), tmp_path / "m")
    file = SafetensorsFile(tmp_path / "m" / "model.safetensors")
    named = [file[name] for name in file if not name.startswith(PADDING)]
    assert len(named) == 6 + PLAIN.layers * (len(PLAIN.linear_shapes) + len(PLAIN.gain_sizes))
    assert all(entry.start % 64 == 0 for entry in named)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs the kernel's count of mapped pages")
def test_loading_leaves_the_embedding_on_disk(tmp_path):
    config = ModelConfig(**vars(SMALL) | {"vocab_size": 4096, "hidden_size": 512})
    save_model(synthetic_model(config), tmp_path / "m")
    model = load_model(tmp_path / "m")

    def resident():
        sections = Path("/proc/self/smaps").read_text().split(str(tmp_path / "m" / "model.safetensors"))[1:]
        return sum(int(section.split("Rss:")[1].split()[0]) * 1024 for section in sections)

    rest = (tmp_path / "m" / "model.safetensors").stat().st_size - model.embedding.nbytes
    before = resident()
    assert rest // 2 < before < rest + 2**18  # the kernel maps 64 KiB around what is touched
    model.embedding.max()
    assert resident() > before + model.embedding.nbytes // 2


def test_an_earlier_model_is_replaced_with_its_tokenizer(tmp_path):
    chat = ChatFormat("{{ messages }}\r\n…", "<s>", "")
    save_model(synthetic_model(PLAIN, 3), tmp_path / "m", text=TextParts('{"a": "ä\\n\r\n"}'))
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == ["model.json", "model.safetensors", "tokenizer.json"]
    save_model(synthetic_model(SMALL, 3), tmp_path / "m", text=TextParts("{}\n", chat))
    assert load_model(tmp_path / "m").config == SMALL
    assert (tmp_path / "m" / "tokenizer.json").read_bytes() == b"{}\n"
    assert ChatFormat.from_json(json.loads((tmp_path / "m" / "chat.json").read_text(encoding="utf-8"))) == chat
    save_model(synthetic_model(SMALL, 3), tmp_path / "m")
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == ["model.json", "model.safetensors"]
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_folder_with_other_files_is_not_touched(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match="exists and holds notes.txt, which is not part of a model"):
        save_model(synthetic_model(SMALL, 3), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_the_working_folder_is_refused_before_the_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (".", tmp_path):
        with pytest.raises(ModelError, match="is the working folder, which cannot be replaced"):
            check_target(Path(name))


def test_a_failure_leaves_the_earlier_model_and_nothing_else(tmp_path, monkeypatch):
    save_model(synthetic_model(SMALL, 3), tmp_path / "m")
    before = {path: path.read_bytes() for path in (tmp_path / "m").iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SafetensorsWriter, "put", full)
    for folder in ("m", "n"):
        with pytest.raises(ModelError, match=f"{folder} cannot be written: .*No space left on device"):
            save_model(synthetic_model(PLAIN, 3), tmp_path / folder)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_tied_head_is_the_int8_of_the_embedding_rows():
    model = synthetic_model(SMALL, 3)
    rows, scales = head_of_embedding(model.embedding, model.embedding_exponents)
    np.testing.assert_array_equal(model.head, rows)
    np.testing.assert_array_equal(model.head_scales, scales)


def test_configs_of_presets_need_no_weights():
    assert load_config("bitnet-0.73b") == PRESETS["bitnet-0.73b"]
    with pytest.raises(ModelError, match="is a shape without weights"):
        load_model("bitnet-0.73b")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "m"
    save_model(synthetic_model(PLAIN, 3), folder)
    return folder


def damaged(saved, tmp_path, *, metadata=None, tensors=None):
    """A copy of the saved model with `metadata` (a function of the JSON) or `tensors` (of the arrays) applied."""
    folder = tmp_path / "damaged"
    shutil.copytree(saved, folder)
    if metadata is not None:
        data = json.loads((folder / "model.json").read_text())
        metadata(data)
        (folder / "model.json").write_text(json.dumps(data))
    if tensors is not None:
        arrays = {name: array.copy() for name, array in load_file(folder / "model.safetensors").items()}
        tensors(arrays)
        save_file(arrays, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize(("change", "message"), [
    (lambda d: d.update(format="onnx"), "expected a model of format 'tritloom'"),
    (lambda d: d.update(version=1), "expected format version 2, found 1"),
    (lambda d: d.pop("config"), "config: expected an object, got NoneType"),
    (lambda d: d["config"].pop("heads"), "config: heads is missing"),
    (lambda d: d["config"].update(head_dim=9), "config: head_dim must be even, got 9"),
    (lambda d: d.update(residual_fraction_bits="x"),
     "residual_fraction_bits: expected an integer within ±60, found 'x'"),
    (lambda d: d.update(residual_fraction_bits=61), "residual_fraction_bits: expected an integer within ±60, found 61"),
    (lambda d: d["gain_exponents"].pop("gain.final"), "gain.final: expected an integer within ±100, found None"),
    (lambda d: d.pop("gain_exponents"), "gain_exponents: expected an object, found None"),
])
def test_damaged_metadata_is_named(saved, tmp_path, change, message):
    folder = damaged(saved, tmp_path, metadata=change)
    with pytest.raises(ModelError) as error:
        load_model(folder)
    assert str(error.value) == f"{folder / 'model.json'}: {message}"


def _set(name, index, value):
    def change(arrays):
        arrays[name][index] = value
    return change


@pytest.mark.parametrize(("change", "message"), [
    (lambda t: t.pop("layers.1.k.trits"), "tensor layers.1.k.trits: is missing"),
    (lambda t: t.update(scales=t["scales"][:1]), "tensor scales: expected shape [2, 7], found [1, 7]"),
    (lambda t: t.pop("scales"), "tensor scales: expected shape [2, 7], found []"),
    (lambda t: t.update(extra=np.zeros(1)), "tensor extra: does not belong to a model of this config"),
    (lambda t: t.update({"gain.final": t["gain.final"][:-1]}),
     "tensor gain.final: expected I16 [24], found I16 [23]"),
    (lambda t: t.update({"embedding": t["embedding"].astype(np.int32)}),
     "tensor embedding: expected I16 [37, 24], found I32 [37, 24]"),
    (_set("layers.0.up.trits", (3, 1), 250),
     "tensor layers.0.up.trits: packed trits: byte 250 is not five base-3 digits (0 to 242)"),
    (_set("scales", (0, 3), 5), "tensor scales: expected scalar words, found a mantissa that is not normalised"),
    (_set("embedding.exponents", 2, 101), "tensor embedding.exponents: expected values within ±100, found"),
    (_set("head", (2, 2), -128), "tensor head: expected values within ±127, found -128 to 127"),
])
def test_damaged_tensors_are_named(saved, tmp_path, change, message):
    folder = damaged(saved, tmp_path, tensors=change)
    with pytest.raises(ModelError) as error:
        load_model(folder)
    assert str(error.value).startswith(f"{folder / 'model.safetensors'}: {message}")


@pytest.mark.parametrize(("change", "message"), [
    (lambda t: t.pop("layers.1.k.mantissas"), "tensor layers.1.k.mantissas: is missing"),
    (lambda t: t.pop("shifts"), "tensor shifts: is missing"),
    (_set("shifts", (1, 2), 63), "tensor shifts: expected values within ±62, found "),
    (_set("layers.0.up.trits", (3, 1), 3), "tensor layers.0.up.trits: packed trits: expected two-bit codes"),
    (_set("embedding.trits", (3, 1), 0xC0), "tensor embedding.trits: packed trits: expected two-bit codes 0 to 2, fou"),
    (_set("layers.1.o.mantissas", (0, 0), -1), "tensor layers.1.o.mantissas: expected 0 to 32767, found -1"),
    (lambda t: t.update({"embedding.mantissas": t["embedding.mantissas"][:, :1].copy()}),
     "tensor embedding.mantissas: expected I16 [130, 2], found I16 [130, 1]"),
])
def test_damaged_tensors_of_scales_by_group_are_named(tmp_path, change, message):
    save_model(synthetic_model(GROUPED["bonsai"], 3), tmp_path / "saved")
    folder = damaged(tmp_path / "saved", tmp_path, tensors=change)
    with pytest.raises(ModelError) as error:
        load_model(folder)
    assert str(error.value).startswith(f"{folder / 'model.safetensors'}: {message}")


def test_missing_and_unreadable_files_are_named(saved, tmp_path):
    with pytest.raises(ModelError, match="is not a model: it has no model.json"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(ModelError, match="model.json: cannot be read"):
        load_model(tmp_path)
    (tmp_path / "model.json").unlink()
    (tmp_path / "model.json").symlink_to("/dev/null")  # a device may never end
    with pytest.raises(ModelError, match="model.json: expected a file, found something else"):
        load_model(tmp_path)
    (tmp_path / "model.json").unlink()
    shutil.copy(saved / "model.json", tmp_path)
    with pytest.raises(ModelError, match="model.safetensors: no such file"):
        load_model(tmp_path)


def test_what_a_notebook_shows_is_a_line(saved):
    model = load_model(saved)
    for part in (model, model.layers[0], model.layers[0].linears["q"]):
        assert repr(part).startswith("<") and len(repr(part)) < 200 and "\n" not in repr(part)
    assert repr(model).startswith(f"<{model.config.name}: ")
