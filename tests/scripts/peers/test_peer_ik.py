"""The comparison with ik_llama.cpp, with stand-ins for its two programs."""

import json
import sys
import textwrap

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader

from models.checkpoint import save_model
from models.command import run_command
from models.dequantise import float_model
from models.errors import BuildError, OptionError
from models.synth import synthetic_model
from scripts.peers import compare_peers
from scripts.peers.compare_peers import OURS
from scripts.peers.peer_ik import IK, KINDS, ik_speeds, quantise, tool
from scripts.peers.peer_model import write_peer_model
from tests.scripts.peers.test_peer_model import SHAPE


@pytest.fixture
def programs(tmp_path):
    """They check what they are asked; IQ2_BN is the faster for prompts, IQ2_BN_R4 with flash attention for steps."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, body in {
        "llama-quantize": """
            option, kind, source, target, to = sys.argv[1:]
            assert (option, kind) == ("--token-embedding-type", "q6_K")
            assert pathlib.Path(source).read_bytes()[:4] == b"GGUF"
            pathlib.Path(target).write_text(to)
        """,
        "llama-bench": """
            given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
            kind, flash = pathlib.Path(given["-m"]).read_text(), int(given.get("-fa", "0"))
            assert given["-t"] == "1" and given["-o"] == "json"
            about = {"build_commit": "abc", "cpu_info": "a processor"}
            assert given["-n"] == "0" and given.get("-gp", "6,4") == "6,4" or given["-p"] == "0"
            rows = [{"n_prompt": 6, "n_gen": 0, "samples_ts": [1, 9 if kind == "IQ2_BN" and not flash else 3]},
                    {"n_prompt": 6, "n_gen": 4, "samples_ts": [7 if kind == "IQ2_BN_R4" and flash else 2, 1]}]
            print("loading\\n" + json.dumps([about | row for row in rows if row["n_gen"] or given["-p"] != "0"]))
        """}.items():
        path = folder / name
        path.write_text(f"#!{sys.executable}\nimport json, pathlib, sys\n" + textwrap.dedent(body))
        path.chmod(0o755)
    return folder


@pytest.fixture
def model(tmp_path):
    save_model(synthetic_model(SHAPE), tmp_path / "model")
    return tmp_path / "model"


def test_the_float16_file_has_the_model_s_values(tmp_path):
    model, file = synthetic_model(SHAPE, seed=1), tmp_path / "float16.gguf"
    write_peer_model(model, file, float16=True)
    tensors = {tensor.name: tensor for tensor in GGUFReader(file).tensors}
    assert {tensor.tensor_type for tensor in tensors.values()} == {GGMLQuantizationType.F16, GGMLQuantizationType.F32}
    source = float_model(model)
    up = source.layers[1].linears["up"]
    assert np.array_equal(tensors["blk.1.ffn_up.weight"].data, up.trits * np.float16(up.scale))
    assert np.array_equal(tensors["token_embd.weight"].data, source.embedding.astype(np.float16))


def test_the_best_of_files_and_settings_counts(model, programs, capsys):
    run_command(compare_peers.main, ["--model", str(model), "--threads", "1", "--rounds", "2", "--repeats", "2",
                                     "--prompt-tokens", "6", "-n", "4", "--peers", "--ik", str(programs), "--json"])
    found = json.loads(capsys.readouterr().out)
    assert found["ik"] == {"commit": "abc", "cpu": "a processor"} and list(found["rounds"][0]) == [OURS, IK]
    result = found["runners"][IK]
    assert (result["prefill"]["setting"], result["prefill"]["tokens_per_s"]) == ("IQ2_BN", [9, 9])
    assert (result["decode"]["setting"], result["decode"]["tokens_per_s"]) == ("IQ2_BN_R4, flash", [7, 7])


def test_the_table_names_it(model, programs, capsys):
    run_command(compare_peers.main, ["--model", str(model), "--threads", "1", "--rounds", "1", "--repeats", "1",
                                     "--prompt-tokens", "6", "-n", "4", "--peers", "--ik", str(programs)])
    out = capsys.readouterr().out
    assert f"prefill: to {IK}" in out and f"{IK} abc, a processor" in out


def test_programs_that_are_not_there_are_asked_for(tmp_path):
    with pytest.raises(OptionError, match="no llama-bench in .*: give the folder of llama-bench and llama-quantize"):
        tool(tmp_path, "llama-bench")


def test_output_that_is_no_json_is_refused(programs, tmp_path):
    (programs / "llama-bench").write_text(f"#!{sys.executable}\nprint('nothing')")
    (tmp_path / "float16.gguf").write_bytes(b"GGUF")
    files = quantise(programs, tmp_path / "float16.gguf", tmp_path)
    assert list(files) == list(KINDS)
    with pytest.raises(BuildError, match="llama-bench printed no JSON: 'nothing"):
        ik_speeds(programs, files, threads=1, prompt_tokens=6, new_tokens=4, repeats=1)


def test_nothing_to_compare_with_is_refused(model, capsys):
    with pytest.raises(SystemExit):
        run_command(compare_peers.main, ["--model", str(model), "--peers"])
    assert "nothing to compare with: give --peers or --ik" in capsys.readouterr().err
