"""Texts are divided between fitting and the judge, prompts stand all over held-out text, and useless texts are refused.
"""

import pytest

from host.pipeline.steering_bench.material import PROMPT_TOKENS, alternate_blocks, body, sentences
from models.errors import OptionError
from tests.host.pipeline.steering_bench.texts import MODEL, material, write_texts


@pytest.fixture
def texts(tmp_path):
    return write_texts(tmp_path)


def test_blocks_take_turns_and_none_is_lost():
    text = "".join(chr(65 + i % 26) for i in range(50_001))
    even, odd = alternate_blocks(text)
    assert even == text[:20_000] + text[40_000:] and odd == text[20_000:40_000]
    assert alternate_blocks("abc") == ("ab", "c")


def test_sides_have_their_prompts_and_windows(texts):
    found = material(texts)
    assert found.accuracy == (1.0, 1.0) and found.toward.log_odds > 0 > found.away.log_odds
    for side in (found.toward, found.away):
        assert side.prompts.shape == (5, PROMPT_TOKENS)
        assert side.windows.shape == (2, MODEL.config.context // 2)
    assert found.contrast.names == ("bible", "novel") and len(found.contrast.toward) >= 512


def test_prompts_open_with_sentences_all_over_the_text():
    text = "".join(f"Sentence {i} goes on for a while and then it stops. " for i in range(200))
    numbers = [int(passage.split()[1]) for passage in sentences(body(text), 5, characters=40)]
    assert numbers == sorted(set(numbers)) and 9 < numbers[0] < 15 and 185 < numbers[-1] < 191
    with pytest.raises(OptionError, match="3 sentences, and 9 prompts"):
        sentences("Start. One more. Two more. Three more here.", 9, characters=4)


def test_texts_of_no_use_are_refused(texts, tmp_path):
    short = tmp_path / "short.txt"
    short.write_text("Amen. " * 20)
    for name, words in (("bible", "too short to fit on"), ("held_bible", "too short for 2 windows")):
        with pytest.raises(OptionError, match=words):
            material(texts | {name: short})
    with pytest.raises(OptionError, match="do not differ"):
        material(texts | {"bible": texts["novel"]})
