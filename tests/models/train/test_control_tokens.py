"""Control tokens are more words of the same network, listed for the converter."""

import json

import pytest

torch = pytest.importorskip("torch")

from tokenizers import Tokenizer  # noqa: E402

from models.errors import OptionError  # noqa: E402
from models.train.control_tokens import add_control_tokens, write_control_tokens  # noqa: E402


def copy(tokenizer):
    return Tokenizer.from_str(tokenizer.to_str())


def test_the_network_is_as_it_was_and_a_new_token_as_the_one_it_is_like(network, tokenizer):
    words, ids = copy(tokenizer), torch.tensor([[7, 8, 9]])
    grown, tokens = add_control_tokens(network, words, ["new", "other"], like=5)
    grown.eval()
    assert tokens == {"new": 280, "other": 281} and grown.shape.vocab == 282
    assert words.encode("<|other|>It").ids[0] == 281 and words.get_added_tokens_decoder()[281].special
    with torch.no_grad():
        assert torch.equal(grown(ids)[..., :280], network(ids))
        behind = [grown(torch.tensor([[first, 8, 9]])) for first in (281, 5, 6)]
    assert torch.equal(behind[0], behind[1]) and not torch.equal(behind[0], behind[2])
    assert all(parameter.requires_grad for parameter in grown.parameters())


@pytest.mark.parametrize("names", [["a", "a"], [""], ["endoftext"]])
def test_a_name_that_is_no_new_token_is_refused(network, tokenizer, names):
    with pytest.raises(OptionError, match="cannot name a control token"):
        add_control_tokens(network, copy(tokenizer), names)


def test_a_tokenizer_of_another_size_is_refused(network, tokenizer):
    words = copy(tokenizer)
    words.add_special_tokens(["<|extra|>"])
    with pytest.raises(OptionError, match="the tokenizer has 281 tokens and the model 280"):
        add_control_tokens(network, words, ["new"])


def test_they_are_listed(tmp_path):
    write_control_tokens(tmp_path, {"new": 280})
    assert json.loads((tmp_path / "magic.json").read_text()) == {"new": 280}
