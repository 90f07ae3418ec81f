"""Prompts side by side give what each gives alone, however many share the session."""

import io
import json
import sys
from functools import partial

import numpy as np
import pytest

from host import batch as command
from host import generate as single
from host.batching import Batch
from host.devices.emulator import EmulatorDevice
from host.emulator.library import NUMPY
from host.generate import generate
from host.runtime import Session
from host.sampler import Sampler
from models.checkpoint import load_model
from models.command import run_command
from models.errors import OptionError
from models.machine.build import BOARDS, CPU
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.test_conversation import BASE, models  # noqa: F401  a fixture

PROMPTS = ["It was a truth", "And the LORD said unto", "She had", "Mr. Knightley", "In the beginning", "Blessed are",
           "My dear", "The house", "Thou shalt not", "Emma"]


def alone(session, prompts, count, samplers, ends):
    found = []
    for prompt, sampler in zip(prompts, samplers, strict=True):
        session.reset()
        found.append(list(generate(session, prompt, count, sampler, ends=ends)))
    return found


@pytest.mark.parametrize(("build", "kernels", "name"), [
    (CPU, "auto", "relu2 grouped heads"), (BOARDS["sim-tiny"], "auto", "silu full heads"), (CPU, NUMPY, "llama plain")])
@pytest.mark.parametrize(("sequences", "temperature"), [(1, 0.0), (3, 0.0), (5, 0.9)])
def test_each_prompt_gets_what_it_gets_alone(build, kernels, name, sequences, temperature):
    model, rng = synthetic_model(FAMILIES[name], seed=1), np.random.default_rng(2)
    prompts = [rng.integers(0, model.config.vocab_size, size).tolist() for size in (3, 1, 9, 20, 2, 7, 1)]
    device = partial(EmulatorDevice, build, kernels=kernels)
    draw = [partial(Sampler, temperature, seed=seed) for seed in range(len(prompts))]
    one = Session(model, device())
    ends = set(alone(one, prompts, 5, [s() for s in draw], ())[2][2:3])  # one ends early, others may
    expected = alone(one, prompts, 17, [s() for s in draw], ends)
    assert len({len(ids) for ids in expected}) > 1 or not ends
    found = [[] for _ in prompts]
    session = Session(model, device(), sequences=sequences)
    batch = Batch(session, prompts, 17, [s() for s in draw], ends=ends)
    for index, token in batch.run():
        found[index].append(token)
    assert found == expected
    taken = [min(len(ids), 16) for ids in expected]
    assert batch.decoded == sum(taken) and batch.passes >= -(-sum(taken) // sequences)
    if sequences == 1:
        assert batch.passes == sum(taken)


def test_a_device_of_few_rows_takes_several_passes():
    model = synthetic_model(FAMILIES["one head"], seed=1)
    prompts, found = [[1, 2], [3], [4, 5, 6], [7], [8]], {}
    for rows in (1, 2, 128):
        session = Session(model, EmulatorDevice(CPU), sequences=5)
        session.rows = rows
        batch = Batch(session, prompts, 6, [Sampler(0.0) for _ in prompts], ends=())
        found[rows] = sorted(enumerate(batch.run()), key=lambda item: (item[1][0], item[0]))
        assert batch.passes == 5 * -(-5 // rows)
        found[rows] = [pair for _, pair in found[rows]]
    assert found[1] == found[2] == found[128]


def test_a_sequence_that_is_stopped_makes_room():
    model = synthetic_model(FAMILIES["one head"], seed=1)
    session = Session(model, EmulatorDevice(CPU), sequences=1)
    batch, counts = Batch(session, [[1], [2], [3]], 9, [Sampler(0.0) for _ in range(3)], ends=()), [0, 0, 0]
    for index, _ in batch.run():
        counts[index] += 1
        if counts[index] == (9, 4, 1)[index]:
            batch.stop(index)
    assert counts == [9, 4, 1]


@pytest.mark.parametrize(("prompts", "count", "message"), [
    ([[1], []], 3, "prompt 2 is empty"),
    ([[1]], 0, "new tokens must be at least 1, got 0"),
    ([[1], [1] * 60], 6, "prompt 2 of 60 tokens and 6 new ones exceed the context of 64"),
])
def test_what_no_session_can_do_is_refused_at_once(prompts, count, message):
    session = Session(synthetic_model(FAMILIES["one head"], seed=1), EmulatorDevice(CPU))
    with pytest.raises(OptionError, match=message):
        Batch(session, prompts, count, [Sampler(0.0) for _ in prompts])


def run(module, *arguments, capsys):
    run_command(module.main, [str(a) for a in arguments])
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("sampling", [("--temperature", 0),
                                      ("--temperature", 0.9, "--seed", 5, "--repeat-penalty", 1.1)])
def test_the_command_gives_what_generate_gives(sampling, capsys, tmp_path):
    options = ("-n", 12, "--stop", "and", *sampling, "--json")
    file = tmp_path / "prompts.txt"
    file.write_text("\n\n".join(PROMPTS) + "\n")
    found = run(command, "--prompts", file, "--sequences", 4, *options, capsys=capsys)
    assert set(found) == {"results", "passes", "prefill_s", "decode_s", "tokens_per_s", "device", "saturations"}
    assert len(found["results"]) == len(PROMPTS)
    for prompt, result in zip(PROMPTS, found["results"], strict=True):
        expected = run(single, "--prompt", prompt, *options, capsys=capsys)
        assert result == {name: expected[name] for name in ("prompt_ids", "ids", "text")}
    assert run(command, *(part for prompt in PROMPTS for part in ("--prompt", prompt)), *options,
               capsys=capsys)["results"] == found["results"]


def test_a_line_of_a_file_is_a_prompt_whatever_system_wrote_it(capsys, tmp_path, monkeypatch):
    prompts = ["It was", "She\u2028had", "My\x0cdear\x85", "a\rb"]
    options = ("-n", 2, "--temperature", 0, "--json")
    expected = run(command, *(part for prompt in prompts for part in ("--prompt", prompt)), *options, capsys=capsys)
    file = tmp_path / "prompts.txt"
    for data in ("\n".join(prompts), "\ufeff" + "\r\n\r\n".join(prompts) + "\r\n"):
        file.write_bytes(data.encode())
        assert run(command, "--prompts", file, *options, capsys=capsys)["results"] == expected["results"]
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data.encode()), encoding="ascii"))
        assert run(command, "--prompts", "-", *options, capsys=capsys)["results"] == expected["results"]


def test_a_stop_that_names_a_special_token(models, capsys, monkeypatch):  # noqa: F811
    for module in (command, single):
        monkeypatch.setattr(module, "sampler_from", lambda _: partial(next_of, iter([300, BASE + 4, 301])))
    options = ("--model", models["ChatML"], "--prompt", "It was", "-n", 3, "--json")
    stop = ("--stop", "never there", "--stop", "<|eot_id|>")
    assert run(single, *options, capsys=capsys)["ids"] == [300, BASE + 4, 301]
    assert run(single, *options, *stop, capsys=capsys)["ids"] == [300]
    found = run(command, *options, "--prompt", "well", *stop, capsys=capsys)["results"]
    assert [result["ids"] for result in found] == [[300], [300]]


def next_of(left, top, history):
    """A sampler that takes the ids that are left in turn."""
    return next(left)


def test_texts_come_in_the_order_of_the_prompts(capsys):
    run_command(command.main, ["--prompt", "It was", "--prompt", "She had", "-n", "8", "--temperature", "0"])
    out, err = capsys.readouterr()
    first, second = (run(single, "--prompt", prompt, "-n", 8, "--temperature", 0, "--json", capsys=capsys)["text"]
                     for prompt in ("It was", "She had"))
    assert out == f"It was{first}\n\nShe had{second}\n"
    assert err.startswith("[2 prompts, ") and " 16 new at " in err


def test_ids_need_no_tokenizer(capsys, tmp_path):
    for path in load_model("demo").folder.iterdir():
        if path.name != "tokenizer.json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    options = ["--model", tmp_path, "-n", 5, "--temperature", 0]
    found = run(command, *options, "--ids", "0,5", "--ids", "0,9,700", "--json", capsys=capsys)["results"]
    assert [result["prompt_ids"] for result in found] == [[0, 5], [0, 9, 700]]
    assert all(result["text"] is None and len(result["ids"]) == 5 for result in found)
    run_command(command.main, [str(a) for a in (*options, "--ids", "0,5", "--ids", "0,9,700")])
    assert capsys.readouterr().out.split() == [str(token) for result in found for token in result["ids"]]


@pytest.mark.parametrize(("arguments", "message"), [
    (["--prompt", "It was", "--prompt", ""], "prompt 2 is empty"),
    (["--prompts", "no/such/file"], "cannot read no/such/file: No such file or directory"),
    (["--prompts", "/dev/null"], "/dev/null has no prompt"),
    (["--prompts", "/bin/sh"], "cannot read /bin/sh: it is "),
    (["--prompt", "a", "--stop", "<|endoftext|>\n"], "the special token <|endoftext|> in it is no part of the text"),
    (["--prompt", "a", "--sequences", "17"], "--sequences must be 1 to 16, got 17"),
    (["--prompt", "a", "--sequences", "0"], "--sequences must be 1 to 16, got 0"),
    (["--prompt", "a", "--stop", ""], "a stop string must not be empty"),
    (["--prompt", "a", "--prompt", "word " * 3000], "prompt 2 of"),
    (["--ids", "1", "--ids", "1,99999"], "token id 99999 is outside the vocabulary"),
    (["--prompt", "a", "-n", "0"], "new tokens must be at least 1"),
])
def test_bad_input_is_one_line_and_status_2(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        run_command(command.main, arguments)
    captured = capsys.readouterr()
    assert exit_.value.code == 2 and not captured.out
    line = captured.err.strip().splitlines()[-1]
    assert line.startswith("error: ") and message in line and "Traceback" not in captured.err
