"""How byte-level BPE cuts a text into words before it merges: one rule for each `tokenizer.ggml.pre` name.

The rules are those of the models' own `tokenizer.json` files, in the tokenizers library's terms; llama.cpp's
`llama-vocab.cpp` is where a name's meaning is written down. Where its regular expressions only approximate a model's
own, the model's own stand here.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT", "REFUSED", "SPLITTINGS", "Splitting", "split_bytes"]


@dataclass(frozen=True)
class Splitting:
    """steps: pre-tokenizers in turn, the last one maps bytes to characters; ignore_merges: a word that is a token
    stays whole, whatever the merges say; compose: Unicode NFC comes first; start: prompts begin with the file's start
    token, unless it says otherwise."""

    steps: tuple[dict[str, object], ...]
    ignore_merges: bool = False
    compose: bool = False
    start: bool = False


def split_bytes(*patterns: str) -> tuple[dict[str, object], ...]:
    """Steps that cut out every match of each regular expression in turn; what lies between matches is cut as well."""
    return (*map(_split, patterns), _BYTES)


def _split(pattern: str) -> dict[str, object]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
_DIGITS = {"type": "Digits", "individual_digits": True}
_NUMBERS = {"type": "Digits", "individual_digits": False}
_PUNCTUATION = {"type": "Punctuation", "behavior": "Contiguous"}

_ENDINGS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"  # GPT-2
_TAIL = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_EDGE = r"[^\r\n\p{L}\p{N}]?"
_IDEOGRAPHS = r"[一-龥ࠀ-一가-퟿]+"
_CASED_LETTERS = (
    r"\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌ"
    r"ῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+")


def _llama3(digits: str) -> str:
    return rf"{_ENDINGS}|{_EDGE}\p{{L}}+|\p{{N}}{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_TAIL}"


def _cased(endings: str, digits: str) -> str:
    """Words cut where the case turns, as in o200k and tekken."""
    return (rf"{_EDGE}{_UPPER}*{_LOWER}+{endings}|{_EDGE}{_UPPER}+{_LOWER}*{endings}|\p{{N}}{digits}"
            rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_TAIL}")


_GPT2 = split_bytes(_WORDS)
_LLAMA3 = split_bytes(_llama3("{1,3}"))
_QWEN2 = split_bytes(_llama3(""))
_GPT4O = split_bytes(_cased(f"{_ENDINGS}?", "{1,3}"))
_SINGLE_DIGITS = (_DIGITS, *_GPT2)
_BLOOM = r" ?[^(\s|.,!?…。，、।۔،)]+"
_DEEPSEEK3 = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
              rf"| ?[\p{{P}}\p{{S}}]+[\r\n]*|{_TAIL}")
_THREES_FROM_THE_RIGHT = r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))"

DEFAULT = Splitting(split_bytes(r"[\p{P}\$\+<=>\^~\|]+", _WORDS, r"\p{N}+", "[0-9][0-9][0-9]"))
"""What llama.cpp does where a file names no rule."""

_CHAMELEON = ("<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", r"([\t\n]|    |  )", r"\p{N}",
              r"[\p{P}!-/:-@\[-`{-~]", _WORDS)
_JAIS2 = _llama3("{1,3}").removesuffix(r"\s+(?!\S)|\s+") + "|".join(
    [rf"\s{{{size}}}(?!\S)" for size in (512, 256, 128, 64, 32, 16, 8, 4)] + [r"\s{1,2}(?!\S)", r"\s{1}"])
_AFMOE_SCRIPTS = "[一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+"
_YOUTU_SCRIPTS = "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+"

SPLITTINGS = {
    **dict.fromkeys((
        "gpt-2", "phi-2", "exaone4", "jais", "mellum", "trillion", "granite-docling", "jina-es", "jina-de",
        "jina-v1-en", "jina-v2-es", "jina-v2-de", "jina-v2-code", "roberta-bpe", "gigachat", "a.x-4.0", "modern-bert"),
        Splitting(_GPT2)),
    **dict.fromkeys(("mpt", "olmo"), Splitting(_GPT2, compose=True)),
    **dict.fromkeys((
        "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon_e", "falcon-h1", "pixtral", "lfm2", "midm-2.0",
        "jina-v5-nano"), Splitting(_LLAMA3, ignore_merges=True, start=True)),
    **dict.fromkeys(("glm4", "glm5"), Splitting(_LLAMA3, ignore_merges=True)),
    **dict.fromkeys(("dbrx", "smaug-bpe", "chatglm-bpe"), Splitting(_LLAMA3)),
    "minicpm5": Splitting(split_bytes(r"\p{N}{1,3}", _llama3("+")), ignore_merges=True),
    "jais-2": Splitting(split_bytes(_JAIS2)),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen", "megrez", "kormo", "f2llmv2"), Splitting(_QWEN2, compose=True)),
    **dict.fromkeys(("stablelm2", "hunyuan", "solar-open", "grok-2"), Splitting(_QWEN2)),
    "laguna": Splitting(split_bytes(r"[^\n]+|[\n]+", _llama3(""))),
    "ufakzeka": Splitting(split_bytes(_llama3("").removeprefix(f"{_ENDINGS}|"))),
    "qwen35": Splitting(split_bytes(
        rf"{_ENDINGS}|{_EDGE}[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_TAIL}")),
    "seed-coder": Splitting(split_bytes(
        rf"{_ENDINGS}|{_EDGE}\p{{L}}+|\p{{N}}{{1}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{_TAIL}")),
    **dict.fromkeys(("bailingmoe", "bailingmoe2", "llada-moe"), Splitting(split_bytes(
        rf"'(?i:[sdmt]|ll|ve|re)|{_EDGE}+\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"))),
    "exaone-moe": Splitting(split_bytes(
        rf"{_ENDINGS}|{_EDGE}(?:\p{{L}}\p{{M}}*(?: \p{{L}}\p{{M}}*)*)+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]?"
        r"|\s*[\r\n]|\s+(?!\S)|\s+")),
    **dict.fromkeys(("smollm", "starcoder", "refact", "codeshell", "exaone", "minerva-7b", "mellum2"),
                    Splitting(_SINGLE_DIGITS)),
    "command-r": Splitting(_SINGLE_DIGITS, compose=True),
    "falcon": Splitting((_PUNCTUATION, *_GPT2, _NUMBERS, _split("[0-9][0-9][0-9]"))),
    **dict.fromkeys(("bloom", "poro-chat", "gpt3-finnish"), Splitting(split_bytes(_BLOOM))),
    "viking": Splitting(split_bytes(_BLOOM, r"\p{N}")),
    "deepseek-llm": Splitting((*map(_split, (
        "[\r\n]", _CASED_LETTERS, r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", _IDEOGRAPHS)), _DIGITS, _BYTES)),
    "deepseek-coder": Splitting((*map(_split, ("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", _IDEOGRAPHS)), _DIGITS, _BYTES)),
    **dict.fromkeys(("deepseek-v3", "hunyuan-dense", "hy_v4", "joyai-llm"), Splitting(split_bytes(
        r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", _DEEPSEEK3))),
    "spark2_5": Splitting(split_bytes(
        r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
        _DEEPSEEK3.replace(r"[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+", r"[\p{P}\p{S}]+|[\r\n]"), r"\p{N}")),
    "afmoe": Splitting(split_bytes(_THREES_FROM_THE_RIGHT, _AFMOE_SCRIPTS, _DEEPSEEK3)),
    "tekken": Splitting(split_bytes(_cased("", "")), ignore_merges=True, start=True),
    "youtu": Splitting(split_bytes(_YOUTU_SCRIPTS, _cased(f"{_ENDINGS}?", "")), ignore_merges=True),
    **dict.fromkeys(("gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"), Splitting(_GPT4O)),
    "granite-embed-multi-97m": Splitting(_GPT4O, ignore_merges=True),
    **dict.fromkeys(("tiny_aya", "cohere2moe"), Splitting(split_bytes(
        _THREES_FROM_THE_RIGHT, _cased(f"{_ENDINGS}?", "{1,3}")))),
    "chameleon": Splitting(split_bytes(*_CHAMELEON), start=True),
}
"""By the name that a GGUF file gives."""

REFUSED = {
    **dict.fromkeys(("gemma4", "granite-embed-multi-311m", "sarvam-moe", "whitespace"),
                    "its tokens are text, not byte characters"),
    "kimi-k2": "it has no merges",
    "superbpe": "it cuts where nothing is",
}
"""Names that llama.cpp knows and no rule here covers, and why."""
