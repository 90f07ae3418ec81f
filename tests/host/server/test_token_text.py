"""Text and bytes of single tokens: pieces of characters, spaces that a start would lose, special tokens."""

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models

from host.server.token_text import TokenText
from host.text import Text
from models.checkpoint import load_model, save_model
from models.synth import synthetic_model
from models.vocabulary import TextParts
from tests.families import FAMILIES


@pytest.fixture(scope="module")
def pieces(tmp_path_factory):
    """As SentencePiece has them: a mark for a space, bytes by name, and the first space of a text left out."""
    vocabulary = {"▁": 0, "a": 1, "▁b": 2, "<0xC3>": 3, "<0xA9>": 4, "</s>": 5}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([AddedToken("</s>", special=True)])
    folder = tmp_path_factory.mktemp("pieces") / "model"
    save_model(synthetic_model(FAMILIES["one head"]), folder, text=TextParts(tokenizer.to_str()))
    return TokenText(Text(folder))


def test_pieces_of_a_text_make_the_text():
    text = Text(load_model("demo").folder)
    token_text, said = TokenText(text), " a well-known \N{DUCK} truth"
    ids = text.encode(said)
    assert bytes(byte for token in ids for byte in token_text.bytes_of(token)).decode() == said
    assert "".join(token_text(token) for token in text.encode("a truth, well")) == "a truth, well"
    assert token_text(0) == "<|endoftext|>" and token_text.shown(0) == ""


def test_a_space_in_front_is_part_of_the_piece(pieces):
    assert [pieces(token) for token in (1, 2)] == ["a", " b"]
    assert [pieces.bytes_of(token) for token in (2, 3, 4)] == [[32, 98], [0xC3], [0xA9]]
    assert pieces(5) == "</s>" and pieces.shown(5) == ""
