"""What ends a text, from everywhere it may stand, in the config of a converted model."""

import json

import pytest
from tokenizers import Tokenizer
from tokenizers.models import Unigram

from models.convert import convert, report
from models.formats import read_checkpoint
from models.vocabulary.parts import ChatFormat
from models.vocabulary.template_ends import template_ends
from tests.host.templates import TEMPLATES
from tests.models.formats.folders import config_json, masters, write_folder
from tests.models.small import SMALL
from tests.models.vocabulary.test_whole_prompts import token

NAMES = {"<|end|>": 20, "<|im_start|>": 21, "<|im_end|>": 22, "<|eot_id|>": 23, "<s>": 24, "</s>": 25}
CHATML = {"chat_template": TEMPLATES["ChatML"]}


@pytest.fixture
def folder(tmp_path):
    """A model whose configs name ids 1 and 2, and a tokenizer of letters with the names behind them."""
    letters = {letter: index for index, letter in enumerate("abcdefghijklmnopqrst")}
    added = [{"id": index} | token(name) for name, index in NAMES.items()]
    tokenizer = {"version": "1.0", "added_tokens": added, "model": {"type": "BPE", "vocab": letters, "merges": []}}
    source = write_folder(tmp_path / "source", config_json(SMALL, eos_token_id=1), masters(SMALL))
    (source / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 1]}))
    (source / "tokenizer.json").write_text(json.dumps(tokenizer))
    return source


@pytest.mark.parametrize("config, expected", [
    ({}, (1, 2)),
    ({"eos_token": "<|end|>"}, (1, 2, 20)),
    ({"eos_token": "<|end|>"} | CHATML, (1, 2, 20, 22)),
    (CHATML, (1, 2, 22)),
    ({"chat_template": TEMPLATES["Llama 3"], "bos_token": "<s>"}, (1, 2, 23)),
    ({"chat_template": "{{ messages[-1].content }} and more"}, (1, 2)),
])
def test_ends_from_everywhere(folder, tmp_path, config, expected):
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert read_checkpoint(folder).config.eos_ids == expected
    convert(folder, tmp_path / "model")
    made = report(tmp_path / "model")
    assert tuple(made["config"]["eos_ids"]) == expected and made["notes"] == []


@pytest.mark.parametrize("template", ["{% break %}", "{{ f(a=1, a=2) }}", "{% for m in messages %}"])
def test_a_template_that_does_not_run_is_said(folder, tmp_path, template):
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    convert(folder, tmp_path / "model")
    made = report(tmp_path / "model")
    assert made["config"]["eos_ids"] == [1, 2] and made["chat"]
    assert made["notes"][0].startswith("the model has no chat until this is mended: ") and "\n" not in made["notes"][0]


def test_a_template_whose_text_has_no_ids_is_said():
    tokenizer = Tokenizer(Unigram([("a", 0.0)])).to_str()  # no token for what it does not know
    ends, notes = template_ends(ChatFormat(TEMPLATES["ChatML"], "", "<|im_end|>"), tokenizer)
    assert ends == () and notes == ("the model has no chat until this is mended: the tokenizer has no ids for the "
                                    "template's text: Encountered an unknown token but `unk_id` is missing",)
