"""The judge of manner, the control vectors and the summary of an evaluation, on made-up material."""

import numpy as np
import pytest

from host.pipeline.steering.difference_of_means import difference_of_means
from models.errors import OptionError
from models.synth import synthetic_model
from scripts.experiments.steering.evaluate_steering import Outcome, summary
from scripts.experiments.steering.manner import AUSTEN, SCRIPTURE, MannerClassifier, body, read_manners, sentences
from scripts.experiments.steering.plot_steering import plot
from scripts.experiments.steering.steering_trial import continuations, control_vectors, perplexity
from tests.families import FAMILIES

NOVEL = "The carriage waited while Miss Price considered the invitation. She was very much pleased with it."
BIBLE = "And it came to pass that the LORD spake unto him. And he begat sons and daughters in the land."


def outcome(kind, shift, strength=1.0, vector=0, target=SCRIPTURE):
    return Outcome(kind, vector, strength, target, shift, 0.1, 0.5, {AUSTEN: 1.2, SCRIPTURE: 1.1}, [])


def states(seed=0, tokens=400):
    random = np.random.default_rng(seed)
    both = random.standard_normal((2, 3, tokens, 32))
    both[0] += 0.5 * random.standard_normal(32)
    return {SCRIPTURE: both[0], AUSTEN: both[1]}


def test_the_classifier_separates_the_manners():
    judge = MannerClassifier(NOVEL, BIBLE)
    assert judge.log_odds_per_word("the LORD begat sons") > 0.3
    assert judge.log_odds_per_word("Miss Price was pleased") < -0.3
    assert judge.accuracy(NOVEL, BIBLE, words=5) == {AUSTEN: 1.0, SCRIPTURE: 1.0}


def test_the_classifier_takes_unknown_words_and_silence_as_no_evidence():
    judge = MannerClassifier(NOVEL, BIBLE)
    assert judge.log_odds_per_word("xyzzy") == judge.log_odds_per_word("...") == 0
    assert judge.log_odds_per_word("begat xyzzy") == pytest.approx(judge.log_odds_per_word("begat") / 2)


def test_held_out_books_never_reach_training(tmp_path):
    books = ("Ruth", "Romans", "1 Timothy", "2 Timothy")
    (tmp_path / "kjv.txt").write_text("".join(f"{book} 1\n\nverse of {book}\n\n{book} 2\n\nmore\n\n" for book in books))
    (tmp_path / "austen_emma.txt").write_text("Emma, handsome")
    (tmp_path / "austen_northanger_abbey.txt").write_text("Catherine")
    training, held_out = read_manners(tmp_path)
    assert training[AUSTEN] == "Emma, handsome" and held_out[AUSTEN] == "Catherine"
    assert training[SCRIPTURE].split() == "verse of Ruth more verse of 2 Timothy more".split()
    assert held_out[SCRIPTURE].split() == "verse of Romans more verse of 1 Timothy more".split()
    (tmp_path / "austen_northanger_abbey.txt").unlink()
    with pytest.raises(OptionError, match="lacks austen_northanger_abbey"):
        read_manners(tmp_path)


def test_prompts_open_with_sentences_all_over_the_text():
    text = "".join(f"Sentence {i} goes on for a while and then it stops. " for i in range(200))
    found = sentences(body(text), 5, characters=40)
    numbers = [int(passage.split()[1]) for passage in found]
    assert all(passage.startswith("Sentence") and len(passage) == 40 for passage in found)
    assert numbers == sorted(set(numbers)) and 9 < numbers[0] < 15 and 185 < numbers[-1] < 191


def test_control_vectors_have_the_fitted_norms_and_little_of_its_direction():
    both = states()
    fitted = difference_of_means(both[SCRIPTURE], both[AUSTEN], [0, 2])
    controls = control_vectors(both, fitted, seed=1)
    assert set(controls) == {"shuffled", "random"}
    for vectors in controls.values():
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.linalg.norm(fitted, axis=1))
        assert not vectors[1].any()
        assert abs((vectors * fitted).sum() / (fitted**2).sum()) < 0.6
    again, other = control_vectors(both, fitted, seed=1), control_vectors(both, fitted, seed=2)
    assert all(np.array_equal(controls[kind], again[kind]) for kind in controls)
    assert not any(np.allclose(controls[kind], other[kind]) for kind in controls)


def test_the_summary_holds_steering_against_the_largest_control_of_either_sign():
    rows = summary([outcome("steered", 2.0), outcome("random", -0.5), outcome("random", 0.1, vector=1),
                    outcome("shuffled", 0.8), outcome("shuffled", -0.2, vector=1),
                    *(outcome(kind, 1.0, target=AUSTEN) for kind in ("steered", "random", "shuffled"))])
    assert [(row["target"], row["ratio"]) for row in rows] == [(SCRIPTURE, 2.5), (AUSTEN, 1.0)]
    assert (rows[0]["random"], rows[0]["shuffled"], rows[0]["perplexity_austen"]) == (0.5, 0.8, 1.2)


def test_strength_zero_writes_and_costs_what_the_plain_model_does():
    model = synthetic_model(next(iter(FAMILIES.values())))
    random = np.random.default_rng(0)
    shape = model.config.layers, model.config.hidden_size
    prompts = random.integers(0, model.config.vocab_size, (3, 4))
    plain = continuations(model, None, prompts, 6)
    assert continuations(model, np.zeros(shape), prompts, 6) == plain
    assert continuations(model, 9 * random.standard_normal(shape), prompts, 6) != plain
    assert perplexity(model, np.zeros(shape), prompts) == perplexity(model, None, prompts)


def test_the_plot_is_written(tmp_path):
    pytest.importorskip("matplotlib")
    outcomes = [outcome(kind, shift, strength)._asdict() for kind, shift in (("steered", 2), ("random", 0.1))
                for strength in (0.5, 1.0)]
    plot(outcomes, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
