"""The tokenizer gives text back exactly."""

import pytest

pytest.importorskip("tokenizers")

from models.errors import ModelError
from models.train.tokenizer import END_OF_TEXT, load_tokenizer, train_tokenizer

STRINGS = [
    "",
    " ",
    "It was",
    "  two\n\n\nspaces\t",
    "£20,000 æ ĉ \U0001f600",
    "\x00\x7f\r\n",
    "unseen ΣΩ words",
]


@pytest.mark.parametrize("string", STRINGS)
def test_any_text_comes_back(tokenizer, string):
    assert tokenizer.decode(tokenizer.encode(string).ids) == string


def test_one_special_token_and_the_size_asked_for(tokenizer):
    assert tokenizer.get_vocab_size() == 280
    assert tokenizer.token_to_id(END_OF_TEXT) == 0
    assert tokenizer.encode(f"a{END_OF_TEXT}b").ids[1] == 0


def test_too_little_text_is_refused():
    with pytest.raises(ModelError, match="give more text"):
        train_tokenizer(["ab"], 2048)


def test_bad_files_are_refused(tmp_path):
    with pytest.raises(ModelError, match="no such tokenizer"):
        load_tokenizer(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="not a tokenizer"):
        load_tokenizer(tmp_path / "tokenizer.json")
