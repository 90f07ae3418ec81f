"""llama.cpp's control vectors: what is written comes back and acts the same; files of other kinds are refused."""

import gguf
import numpy as np
import pytest

from host.pipeline.__main__ import main
from host.pipeline.artefact import save_artefact
from host.pipeline.loading import load_stages
from host.pipeline.steering.vector import read_control_vector, write_control_vector
from models.checkpoint import load_model
from models.errors import ArtefactError, OptionError
from models.model_hash import model_hash

MODEL = load_model("demo")
LAYERS, HIDDEN = MODEL.config.layers, MODEL.config.hidden_size


def written(path, tensors, architecture="controlvector"):
    writer = gguf.GGUFWriter(path, architecture)
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_an_exported_artefact_comes_back_with_its_strength_in_it(tmp_path, capsys):
    vectors = np.zeros((LAYERS, HIDDEN), np.float32)
    vectors[2:4] = np.random.default_rng(0).standard_normal((2, HIDDEN))
    save_artefact(tmp_path / "a.safetensors", "steering", "difference-of-means", ["residual"], {"vectors": vectors},
                  model=model_hash(MODEL), fit={})
    main(["export", f"{tmp_path / 'a.safetensors'}:0.5", "-o", str(tmp_path / "v.gguf")])
    main(["fit", "--kind", "steering", "--method", "vector", "--gguf", str(tmp_path / "v.gguf"), "-o",
          str(tmp_path / "b.safetensors")])
    capsys.readouterr()
    first, second = load_stages(MODEL, [f"{tmp_path / 'a.safetensors'}:0.5", str(tmp_path / "b.safetensors")])
    assert np.array_equal(first.stage.added, second.stage.added) and second.stage.layers == {2, 3}
    reader = gguf.GGUFReader(tmp_path / "v.gguf")
    assert reader.fields["general.architecture"].contents() == "controlvector"
    assert reader.fields["controlvector.layer_count"].contents() == LAYERS - 1
    assert [tensor.name for tensor in reader.tensors] == ["direction.2", "direction.3"]


@pytest.mark.parametrize("tensors, words", [
    ({"direction.0": np.ones(4, np.float32)}, "numbered from 1 on"),
    ({"direction.1": np.full(4, np.nan, np.float32)}, "finite numbers"),
    ({"direction.1": np.ones((2, 4), np.float32)}, "one dimension"),
    ({"direction.1": np.ones(4, np.float16)}, "expected F32 in one dimension, found F16"),
    ({"blk.1.attn_q.weight": np.ones(4, np.float32)}, "belongs to no control vector")])
def test_files_of_no_use_are_refused(tmp_path, tensors, words):
    with pytest.raises(ArtefactError, match=words):
        read_control_vector(written(tmp_path / "v.gguf", tensors))
    (tmp_path / "text.gguf").write_text("no GGUF")
    with pytest.raises(ArtefactError):
        read_control_vector(tmp_path / "text.gguf")


@pytest.mark.parametrize("layer, size", [(LAYERS, HIDDEN), (1, HIDDEN + 1)])
def test_a_vector_for_another_shape_is_refused(tmp_path, layer, size):
    path = written(tmp_path / "v.gguf", {f"direction.{layer}": np.ones(size, np.float32)})
    with pytest.raises(OptionError, match=f"direction.{layer} of {size} channels"):
        main(["fit", "--kind", "steering", "--method", "vector", "--gguf", str(path), "-o", str(tmp_path / "b")])


def test_what_the_format_cannot_hold_is_not_written(tmp_path):
    vectors = np.zeros((LAYERS, HIDDEN))
    with pytest.raises(OptionError, match="all are zero"):
        write_control_vector(tmp_path / "v.gguf", vectors, "hint")
    vectors[0] = 1
    with pytest.raises(OptionError, match="no name for layer 0"):
        write_control_vector(tmp_path / "v.gguf", vectors, "hint")
    assert not list(tmp_path.iterdir())
