"""Texts that tokenizers get wrong, and words to train small ones on."""

import random

__all__ = ["CORPUS", "SAMPLES"]

CORPUS = [
    "It was a truth universally acknowledged that a single man in possession of a good fortune must want a wife.",
    "And the LORD spake unto Moses, saying, Speak unto the children of Israel, and say unto them:",
    "def main(arguments):\n    return [x ** 2 for x in range(10)]  # squares",
    "The year 1984 had 366 days; 3.14159 is close to 22/7, and 1,000,000 is a million.",
    "Le café était déjà fermé, où êtes-vous allés ? Größe, Straße, übermäßig.",
    "Привет, мир! Как дела? Всё хорошо, спасибо.",
    "你好，世界！我们在这里学习语言。", "안녕하세요 세계", "こんにちは世界",
    "<b>bold</b>, a < b > c | d [x], {y}: <unk> or <s>;",
    "I've said they'll go, and you're right: we don't, she'd, it's.", "well well well ... -- --- ---- !!! ??? ((()))",
] * 8

_EDGES = [
    "", " ", "  ", "   ", "\n", "\n\n", "\t", " \n ", "Hello", " Hello", "  Hello", "Hello ", "Hello  world",
    "a\nb\n\nc\r\nd", "\r\n", "\t\tx = 1\n", "こんにちは世界", "你好，世界！1314天～", "Привет, мир!", "مرحبا بالعالم",
    "नमस्ते दुनिया", "안녕하세요 세계", "ไทยภาษา", "שלום עולם", "😀🦙👨‍👩‍👧‍👦🏳️‍🌈🚀", "é ñ ﬁ ½ ² ™ Ⅷ",
    "1234567890 3.14159 1,000,000 0x7fff", "3 33 333 3333 33333 333333", "<s>[INST] hi [/INST] </s>",
    "<unk> <0x0A> <|im_end|>", "\x00\x01\x1b[0m\x7f", "\u200b\u200d\u2060\ufeff", "\u00a0\u2003\u3000 x",
    "𝕳𝖊𝖑𝖑𝖔 𓀀 \U0010ffff",
    "I've he'll 'RE you'D 'M WE'VE", "------======= ~~~~ ....... '''''' !!!!!!??????", "{\"a\": [1, {\"b\": null}]}",
    "aaa bbb  ccc   ddd    eee     fff", "İstanbul ıI ЁЖИК", "a\u2028b\x85d\x0bx\x0cy", "²³¼ ①② ٣٤٥ 一二三", "𠮷野家 ﷺ",
]
_ALPHABETS = ["abcdefg ", "абвгдежз ", "你好世界我们 ", "0123456789 .,", "éèüñçß ", "\n\t\r  x", "😀🚀👍🏽🇫🇷 ",
              "()[]{}<>/\\|=+-*&^%$#@!", "ابجدهوز ", "कखगघ ", "가나다라마 "]


def _samples() -> list[str]:
    random_ = random.Random(1)
    runs = [f"{before}{character * count}{after}" for character in " -=.\n\t!0aA你😀"
            for count in (1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 100) for before, after in (("", ""), ("x", "y"))]
    mixed = ["".join(random_.choice("".join(random_.sample(_ALPHABETS, random_.randrange(1, 5))))
                     for _ in range(random_.randrange(1, 100))) for _ in range(300)]
    anywhere = ["".join(chr(random_.choice([random_.randrange(32, 0x300), random_.randrange(0x370, 0xd800),
                                            random_.randrange(0xe000, 0x20000)]))
                        for _ in range(random_.randrange(1, 40))) for _ in range(150)]
    words = [" ".join(random_.choices(" ".join(CORPUS).split(" "), k=random_.randrange(1, 40))) for _ in range(200)]
    return _EDGES + runs + mixed + anywhere + words


SAMPLES = _samples()
"""About 1,000 texts: scripts, emoji, spaces, digits, code, control characters, runs, noise, words."""
