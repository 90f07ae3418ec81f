import re
import resource
import sys

import numpy as np
import pytest

from models.config import PRESETS, ModelConfig
from models.formats import read_checkpoint
from scripts.peers.measure_conversion import FORMATS, main, write_folder, write_gguf
from tests.models.small import SMALL


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("packed", [False, True])
def test_folders_that_are_made_can_be_read(tmp_path, packed, shards):
    tmp_path = write_folder(tmp_path, SMALL, np.random.default_rng(0), packed=packed, shards=shards)
    assert len(list(tmp_path.glob("*.safetensors"))) == shards
    model = read_checkpoint(tmp_path)
    assert {**vars(model.config), "name": "small", "bos_id": 0, "eos_ids": (1, 2)} == vars(SMALL)
    assert model.provenance["weights"] == ("packed, the scale multiplies" if packed else "masters")
    assert np.isfinite(model.embedding).all() and len(list(model.layers)) == SMALL.layers


def test_gguf_files_that_are_made_can_be_read(tmp_path):
    config = ModelConfig(**vars(SMALL) | {"hidden_size": 64, "ffn_size": 128, "rope_theta": 5e5})
    model = read_checkpoint(write_gguf(tmp_path / "made.gguf", config, np.random.default_rng(0)))
    assert model.config.activation == config.activation and model.config.linear_shapes == config.linear_shapes
    assert model.provenance["weights"].startswith("I2_S")
    assert len(list(model.layers)) == config.layers


def test_a_row_is_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(PRESETS, "small", SMALL)
    main(["--preset", "small", "--scratch", str(tmp_path)])
    row = r"\| small, masters \| 0\.00 GB \| \d+\.\d\d GiB \| \d+ s \|\n"  # GiB: not less than this process has
    assert re.fullmatch(row, capsys.readouterr().out)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss in KiB")
@pytest.mark.parametrize("kind", FORMATS)
def test_2b4t_fits_three_gigabytes(tmp_path, kind):
    main(["--format", kind, "--scratch", str(tmp_path)])
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 3 * 2**20
