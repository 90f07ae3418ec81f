"""Completions as the `openai` client asks for them: text, logprobs, echo, several prompts and answers, streams."""

import json

import numpy as np
import openai
import pytest

from host import generate
from host.devices.emulator import EmulatorDevice
from host.runtime import Session
from host.scoring import token_losses
from models.checkpoint import load_model
from models.command import run_command
from models.machine.build import CPU
from tests.host.server.serving import Running

PROMPT = "It was a truth"


@pytest.fixture(scope="module")
def client(demo: Running):
    with openai.OpenAI(base_url=f"{demo.url}/v1", api_key="none", max_retries=0) as client:
        yield client.completions


def generated(capsys, *arguments):
    run_command(generate.main, ["--prompt", PROMPT, "--threads", "1", "--json", *map(str, arguments)])
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("options", [{"temperature": 0}, {"temperature": 0.9, "top_p": 0.8, "seed": 4}])
def test_text_is_that_of_the_command(client, capsys, options):
    arguments = [item for name, value in options.items() for item in (f"--{name.replace('_', '-')}", value)]
    expected = generated(capsys, "-n", 30, *arguments)
    whole = client.create(model="demo", prompt=PROMPT, max_tokens=30, **options)
    assert whole.choices[0].text == expected["text"] and whole.choices[0].finish_reason == "length"
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (len(expected["prompt_ids"]), 30)
    pieces = list(client.create(model="demo", prompt=PROMPT, max_tokens=30, stream=True, **options))
    assert "".join(piece.choices[0].text for piece in pieces) == expected["text"] and len(pieces) > 10
    with_logprobs = client.create(model="demo", prompt=PROMPT, max_tokens=30, logprobs=2, **options)
    assert with_logprobs.choices[0].text == expected["text"]
    drafted = client.create(model="demo", prompt=PROMPT, max_tokens=30, extra_body={"speculate": 3}, **options)
    assert drafted.choices[0].text == expected["text"]
    drafts = drafted.usage.completion_tokens_details
    assert drafts.drafted_tokens == drafts.accepted_prediction_tokens + drafts.rejected_prediction_tokens > 0


def test_stop_strings_end_it_before_them(client):
    whole = client.create(model="demo", prompt=PROMPT, max_tokens=30, temperature=0).choices[0].text
    stop = whole[10:13]
    for stops in (stop, ["never there", stop]):
        short = client.create(model="demo", prompt=PROMPT, max_tokens=30, temperature=0, stop=stops).choices[0]
        assert short.text == whole[:whole.index(stop)] and short.finish_reason == "stop"


def test_several_prompts_and_answers_in_order(client):
    prompts = [PROMPT, "In the beginning"]
    both = client.create(model="demo", prompt=prompts, max_tokens=6, n=2, seed=5, temperature=1)
    assert [choice.index for choice in both.choices] == [0, 1, 2, 3]
    alone = [client.create(model="demo", prompt=prompt, max_tokens=6, seed=seed, temperature=1).choices[0].text
             for prompt in prompts for seed in (5, 6)]
    assert [choice.text for choice in both.choices] == alone and len(set(alone)) == 4
    assert both.usage.completion_tokens == 24


def test_prompts_as_ids(client, demo):
    ids = demo.served.text.prompt(PROMPT)
    texts = {client.create(model="demo", prompt=prompt, max_tokens=6, temperature=0).choices[0].text
             for prompt in (PROMPT, ids, [ids], [PROMPT])}
    assert len(texts) == 1


def test_logprobs_of_prompt_and_answer_are_the_model_s(client, demo):
    """What lm-evaluation-harness asks for: the prompt with its log-probabilities, and one token."""
    ids = demo.served.text.prompt("It was a truth universally")
    asked = dict(model="demo", prompt=[ids], max_tokens=1, temperature=0, echo=True, logprobs=2)
    choice = client.create(**asked).choices[0]
    found = choice.logprobs
    model = load_model("demo")
    logits = Session(model, EmulatorDevice(CPU, threads=1)).score(ids)
    expected = -token_losses(logits, np.array([*ids[1:], int(logits[-1].argmax())]))
    assert found.token_logprobs[0] is None and found.top_logprobs[0] is None
    assert found.token_logprobs[1:] == pytest.approx(expected)
    assert all(max(best.values()) == pytest.approx(-token_losses(row[None], row[None].argmax(1))[0])
               for best, row in zip(found.top_logprobs[1:], logits, strict=True))
    assert choice.text.startswith("It was a truth universally") and choice.text.endswith(found.tokens[-1])
    assert [choice.text[at:at + len(token)] for at, token in zip(found.text_offset[1:], found.tokens[1:], strict=True)
            ] == found.tokens[1:]
    again = client.create(**asked).choices[0].logprobs
    assert again == found  # a cache holds the prompt, and must not shorten what is told of it
    none = client.create(**asked | {"max_tokens": 0}).choices[0]
    assert none.logprobs.token_logprobs == found.token_logprobs[:-1] and none.text == "It was a truth universally"
    pieces = [piece.choices[0] for piece in client.create(**asked | {"max_tokens": 3}, stream=True)]
    values = [value for piece in pieces for value in piece.logprobs.token_logprobs]
    assert values[:len(ids) + 1] == found.token_logprobs and len(values) == len(ids) + 3
    assert pieces[0].text.startswith("It was a truth universally")


def test_echo_without_logprobs_is_the_text_as_written(client):
    assert client.create(model="demo", prompt=PROMPT, max_tokens=0, echo=True).choices[0].text == PROMPT
    pieces = list(client.create(model="demo", prompt=PROMPT, max_tokens=2, temperature=0, echo=True, stream=True,
                                stream_options={"include_usage": True}))
    assert "".join(piece.choices[0].text for piece in pieces[:-1]).startswith(PROMPT)
    assert pieces[-1].choices == [] and pieces[-1].usage.completion_tokens == 2


def test_a_bias_bans_and_forces_any_token(client, demo):
    free = client.create(model="demo", prompt=PROMPT, max_tokens=1, temperature=0, logprobs=1).choices[0]
    first, = demo.served.text.encode(free.text)
    banned = client.create(model="demo", prompt=PROMPT, max_tokens=1, temperature=0, logit_bias={str(first): -100})
    assert banned.choices[0].text != free.text
    rare = demo.served.text.encode("Q")[0]
    forced = client.create(model="demo", prompt=PROMPT, max_tokens=3, temperature=0, logit_bias={str(rare): 100})
    assert forced.choices[0].text == "QQQ"
    some = client.create(model="demo", prompt=PROMPT, max_tokens=4, temperature=0, logit_bias={str(rare): 100},
                         frequency_penalty=2, presence_penalty=2)
    assert some.choices[0].text == "QQQQ"  # penalties are small beside it


def test_the_smallest_numbers_are_no_harm(client):
    least = dict.fromkeys(("temperature", "top_p"), 5e-324)
    answer = client.create(model="demo", prompt=PROMPT, max_tokens=4, extra_body={"repeat_penalty": 5e-324}, **least)
    assert answer.usage.completion_tokens == 4


def test_penalties_count_what_was_said(client):
    loop = dict(model="demo", prompt="la la la la la la la la", max_tokens=24, temperature=0)
    plain = client.create(**loop, logprobs=0).choices[0].logprobs.tokens
    varied = client.create(**loop, logprobs=0, presence_penalty=2, frequency_penalty=2).choices[0].logprobs.tokens
    assert len(set(varied)) > len(set(plain)) and varied[0] == plain[0]
