"""A network whose vocabulary has control tokens besides: more rows of the tied embedding, more words of the tokenizer.

Source: "Efficient Switchable Safety Control in LLMs via Magic-Token-Guided Co-Training".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer

from models.errors import OptionError
from models.train.network import BitNet
from models.vocabulary.control_tokens import MAGIC

__all__ = ["add_control_tokens", "write_control_tokens"]

_EMBEDDING = "model.embed_tokens.weight"


def add_control_tokens(network: BitNet, tokenizer: Tokenizer, names: Sequence[str], like: int = 0
                       ) -> tuple[BitNet, dict[str, int]]:
    """A network that takes control tokens too, and their ids by name; the tokenizer gets them, `<|name|>` each.

    Their rows begin as that of the token `like`, by default the end-of-text token: until it is trained, a control token
    in front of a text is one more of them, and nothing is drawn at random. All else is as it was. `OptionError` for a
    name that is empty or given twice, or a token that is there.
    """
    first = network.shape.vocab
    if tokenizer.get_vocab_size() != first:
        raise OptionError(f"the tokenizer has {tokenizer.get_vocab_size()} tokens and the model {first}: control "
                          "tokens need them equal")
    for name in names:
        if not name or names.count(name) > 1 or tokenizer.token_to_id(f"<|{name}|>") is not None:
            raise OptionError(f"{name!r} cannot name a control token: names are not empty, and each is a token of its "
                              "own")
    tokenizer.add_special_tokens([AddedToken(f"<|{name}|>", special=True, normalized=False) for name in names])
    state = network.state_dict()
    rows = state[_EMBEDDING]
    grown = BitNet(replace(network.shape, vocab=first + len(names)), network.dropout, network.dtype)
    grown.load_state_dict(state | {_EMBEDDING: torch.cat([rows, rows[like].repeat(len(names), 1)])})
    return grown, {name: first + index for index, name in enumerate(names)}


def write_control_tokens(folder: Path, tokens: Mapping[str, int]) -> None:
    """List them beside a trained network, for `models.convert`."""
    (folder / MAGIC).write_text(json.dumps(dict(tokens), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
