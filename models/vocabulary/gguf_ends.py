"""What llama.cpp knows of a GGUF file's tokens by their texts, where no key says it (`llama-vocab.cpp`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["end_tokens", "known_by_text"]

_ENDS = ("<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>",
         "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>",
         "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>", "<｜end▁of▁sentence｜>", "[e~[")
"""Ends of a text or a turn."""

_FILLS = {
    "fim_pre": ("<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>",
                "<|code_prefix|>", "<|prefix|>"),
    "fim_suf": ("<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>",
                "<|code_suffix|>", "<|suffix|>"),
    "fim_mid": ("<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>",
                "<|code_middle|>", "<|middle|>"),
    "fim_pad": ("<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"),
    "fim_rep": ("<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"),
    "fim_sep": ("<|file_sep|>",),
}
"""Tokens around a gap to be filled. The last three end a generation as well."""

_ENDING_FILLS = ("fim_pad", "fim_rep", "fim_sep")
_HARMONY = ("<|channel|>", "<|message|>", "<|start|>", "<|constrain|>")
"""Tokens that are shown: user-defined, whatever the file says."""


def known_by_text(ids: Mapping[str, int]) -> tuple[set[int], set[int]]:
    """Ids that are control tokens, and ids that are user-defined ones, whatever their type in the file.

    ids: every token's text to its id.
    """
    control = {ids[text] for text in _ENDS if text in ids}
    control |= {ids[text] for texts in _FILLS.values() for text in texts if text in ids}
    shown = {ids[text] for text in _HARMONY if text in ids}
    if "<|end|>" in ids and _ends_a_part_only(ids):
        shown.add(ids["<|end|>"])
    return control - shown, shown


def end_tokens(ids: Mapping[str, int], named: Mapping[str, int | None]) -> tuple[int, ...]:
    """Ids that end a generation. named: the ids that the file's keys give ("eos", "eot", "fim_pad", ...)."""
    found: list[int | None] = [named.get(role) for role in ("eos", "eot", "eom")]
    found += [ids[text] for text in _ENDS if text in ids]
    for role in _ENDING_FILLS:
        given = named.get(role)
        found.append(_first(ids, _FILLS[role]) if given is None else given)
    no_end = ids["<|end|>"] if "<|end|>" in ids and _ends_a_part_only(ids) else None
    return tuple(dict.fromkeys(index for index in found if index not in (None, no_end)))


def _first(ids: Mapping[str, int], texts: Sequence[str]) -> int | None:
    return next((ids[text] for text in texts if text in ids), None)


def _ends_a_part_only(ids: Mapping[str, int]) -> bool:
    """In harmony's vocabulary and in Solar's, `<|end|>` ends a part of an answer."""
    return ("<|call|>" in ids or "<|calls|>" in ids) and ("<|return|>" in ids or "<|flush|>" in ids)
