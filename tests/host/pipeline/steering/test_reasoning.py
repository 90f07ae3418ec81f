"""Propositions of tokens and sequences, steering where a rule says so, and what is refused."""

from functools import cache

import numpy as np
import pytest

import host.pipeline.__main__ as pipeline
from host import score
from host.devices.emulator import EmulatorDevice
from host.pipeline.artefact import Artefact, save_artefact
from host.pipeline.observing import SKIPPED
from host.pipeline.placement import host_steps, place
from host.pipeline.sequence_stage import SequenceRows
from host.pipeline.site import Point, Site
from host.pipeline.steering.added_vectors import adding_tap
from host.pipeline.steering.contrast import Contrast
from host.pipeline.steering.reasoning import Reasoning
from host.pipeline.steering.rules import NOW, SO_FAR
from host.runtime import Session
from models.errors import ArtefactError, OptionError
from models.golden.residual import RESIDUAL_BITS
from models.golden.scalar import Scalar, constant, div
from models.golden.tap import tap
from models.machine.build import CPU
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.test_commands import refused, run

MODEL = synthetic_model(next(iter(FAMILIES.values())))
HIDDEN, LAYERS = MODEL.config.hidden_size, MODEL.config.layers
RANDOM = np.random.default_rng(0)
AXES = np.linalg.qr(RANDOM.standard_normal((HIDDEN, 2)))[0].T
DEFAULT = "so far b => steer a"
IDS = RANDOM.integers(0, MODEL.config.vocab_size, 24).tolist()


def unit(rows):
    return Scalar(*(np.full(rows, part) for part in constant(2.0**-MODEL.residual_fraction_bits)))


@cache
def fitted(text=DEFAULT, layers=(0, 1)):
    states = [axis * 2 + 0.1 * np.random.default_rng(1).standard_normal((LAYERS, 60, HIDDEN)) for axis in AXES]
    return Reasoning.fit_states(["a", "b"], states, layers, text, "rules").tensors


def stage(strength=1.0, text=DEFAULT, layers=(0, 1)):
    return Reasoning.load(fitted(text, layers), strength)


def integers(rows):
    return np.rint(np.ldexp(rows, MODEL.residual_fraction_bits)).astype(np.int64)


def tokens(which):
    """Rows of the concepts named, a letter a token."""
    return integers(np.array([AXES["ab".index(name)] * 2 for name in which]))


def propositions(which, pieces, sequence=0, told=None):
    """Facts of a sequence that comes in pieces."""
    told = told or stage()
    rows, start, found = tokens(which), 0, []
    for piece in pieces:
        told.begin([SequenceRows(sequence, start, piece, 0)])
        found.append(told.facts(rows[start:start + piece], MODEL))
        start += piece
    return np.concatenate(found)


def test_a_token_has_its_own_propositions_and_the_sequence_those_of_its_mean():
    which = "a" * SKIPPED + "abbbaaaa"
    facts = propositions(which, [len(which)])
    assert not facts[:SKIPPED].any(), "nothing is known at the start of a text"
    assert facts[SKIPPED:, NOW.start].tolist() == [1, -1, -1, -1, 1, 1, 1, 1]
    far = facts[SKIPPED:, SO_FAR.start + 1]
    assert far[[0, 2, 3, 7]].tolist() == [-1, 1, 1, -1]
    assert not facts[:, NOW][:, 2:].any() and not facts[:, SO_FAR][:, 2:].any(), "concepts that were not fitted"


def test_the_mean_of_the_scores_is_held_against_the_threshold():
    told = Reasoning.load({**fitted(), "thresholds": np.where(np.arange(len(fitted()["thresholds"])) == 0, 1.0, 0.0)})
    far = propositions("aaaaaaab", [8], told=told)[SKIPPED:, SO_FAR.start]  # scores of 1.4 and, last, -1.4
    assert far.tolist() == [1, 1, 1, -1]


@pytest.mark.parametrize("pieces", [[1] * 12, [5, 7], [3, 1, 8]])
def test_pieces_do_not_matter(pieces):
    which = "aaaaabbbabab"
    assert np.array_equal(propositions(which, pieces), propositions(which, [12]))


def test_a_sequence_that_goes_back_forgets_and_others_are_not_its_own():
    told = stage()
    propositions("aaaabbbbbbbb", [12], told=told)
    other = propositions("aaaaaa", [6], sequence=1, told=told)
    assert other[-1, SO_FAR.start] == 1
    told.begin([SequenceRows(0, 6, 3, 0)])
    again = told.facts(tokens("aaa"), MODEL)
    assert np.array_equal(again, propositions("aaaabbaaa", [9])[6:])


@pytest.mark.parametrize("strength", [0.0, 0.5, -1.0])
def test_the_vectors_of_what_is_concluded_are_added_by_the_tap_and_no_other_row_changes(strength):
    told, which = stage(strength), "aaaaabbbb"
    x = tokens(which)
    told.begin([SequenceRows(0, 0, len(x), 0)])
    for layer in (0, 1):
        found = told.apply(Point(layer, Site.RESIDUAL), x, unit(len(x)), MODEL)
        added = adding_tap(strength * fitted()["vectors"][layer][0])
        wanted = tap(x, added, div(constant(1), unit(len(x))), bits=RESIDUAL_BITS)
        fires = propositions(which, [len(x)])[:, SO_FAR.start + 1] > 0
        assert fires.any() and not fires.all()
        assert np.array_equal(found[fires], wanted[fires]) and np.array_equal(found[~fires], x[~fires])
    assert np.array_equal(found, x) == (strength == 0)


def test_vectors_are_as_long_as_strength_one_says_and_point_to_their_concept():
    vectors = fitted()["vectors"][:2, :2]
    assert (vectors[:, 0] @ AXES[0] > 0).all() and (vectors[:, 0] @ AXES[1] < 0).all()
    assert np.linalg.norm(vectors, axis=2) == pytest.approx(np.linalg.norm(vectors[0, 0]), rel=0.2)
    control = stage().randomised(3).tensors
    assert np.linalg.norm(control["vectors"], axis=2)[:2, :2] == pytest.approx(np.linalg.norm(vectors, axis=2))
    assert np.abs((control["vectors"][0, 0] * vectors[0, 0]).sum()) < 0.6 * np.square(vectors[0, 0]).sum()
    assert np.array_equal(control["directions"], fitted()["directions"]), "what holds stays as it is"


def test_bits_do_not_depend_on_pieces_of_a_prompt_or_on_who_shares_its_passes():
    told = stage(0.5, "so far a => steer b\nnot so far a => steer a", (0,))
    placement = place([told], MODEL)
    assert not placement.taps and placement.cuts() == 1

    def logits(pieces, beside=False):
        session = Session(MODEL, EmulatorDevice(CPU), sequences=2, host_steps=host_steps(placement, MODEL))
        found, start = [], 0
        for piece in pieces:
            parts = [(0, IDS[start:start + piece])] + [(1, IDS[:2])] * beside
            found.append(session.score_parts(parts)[:piece])
            start += piece
        return np.concatenate(found)

    whole = logits([8])
    assert np.array_equal(whole, logits([1] * 8)) and np.array_equal(whole, logits([3, 5], beside=True))
    plain = Session(MODEL, EmulatorDevice(CPU)).score(IDS[:8])
    assert np.array_equal(whole[:SKIPPED], plain[:SKIPPED]) and not np.array_equal(whole, plain)
    assert np.array_equal(plain, Session(MODEL, EmulatorDevice(CPU), host_steps=host_steps(
        place([told.with_strength(0.0)], MODEL), MODEL)).score(IDS[:8]))


def test_two_texts_are_concepts_and_the_default_rules_lead_from_one_to_the_other():
    contrast = Contrast(MODEL, [0], [1], ("wanted.txt", "other.txt"))
    contrast.states = tuple(axis * 2 + 0.1 * RANDOM.standard_normal((LAYERS, 60, HIDDEN)) for axis in AXES)
    tensors, details = Reasoning.fit_contrast(contrast, [0])
    assert details["concept"] == ["toward", "away"] and details["balanced_accuracy"] == [1, 1]
    told = Reasoning.load(tensors)
    facts = propositions("aaaaabbb", [8], told=told)
    assert facts[-1, SO_FAR].tolist()[:2] == [-1, 1]
    same = Contrast(MODEL, [0], [1])
    same.states = (contrast.states[0], contrast.states[0])
    with pytest.raises(OptionError, match="does not differ"):
        Reasoning.fit_contrast(same, [0])


@pytest.mark.parametrize("change, complaint", [
    ({"bodies": 2.0}, "tensor bodies: expected numbers of -1, 0 and 1"),
    ({"heads": 1.0}, "tensor heads: expected one conclusion a rule"),
    ({"layer": 0.5}, "tensor layer: expected one of"), ({"layer": -1.0}, "tensor layer: expected one of"),
    ({"layer": 1.0}, "tensor vectors: expected none before layer 1")])
def test_tensors_that_make_no_sense_are_refused(change, complaint):
    tensors = {name: array.copy() for name, array in fitted().items()}
    for name, value in change.items():
        tensors[name].flat[:] = value
    with pytest.raises(ArtefactError, match=complaint):
        Reasoning.load(tensors)
    with pytest.raises(ArtefactError, match="strength must be finite"):
        stage(float("nan"))


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    for name, text in (("novel", "Miss Price had the carriage. "), ("bible", "And the LORD spake unto Moses. "),
                       ("letter", "My dear sir, I beg your pardon. ")):
        (folder / f"{name}.txt").write_text(text * 6)
    (folder / "same.txt").write_text((folder / "novel.txt").read_text())
    (folder / "empty.txt").write_text("")
    (folder / "rules").write_text("so far novel, not letter => plain\nplain => steer bible\n")
    (folder / "bad").write_text("so far novel => steer latin\n")
    return folder


def test_concepts_of_several_texts_and_rules_of_a_file(texts, capsys):
    artefact = texts / "r.safetensors"
    concepts = [part for name in ("novel", "bible", "letter") for part in ("--concept", f"{name}={texts}/{name}.txt")]
    made = run(pipeline, "fit", "--kind", "steering", "--method", "reasoning", *concepts, "--rules", texts / "rules",
               "--layers", "1", "-o", artefact, "--json", capsys=capsys)
    assert made["fit"]["concept"] == ["novel", "bible", "letter"] and made["fit"]["layers"] == [1]
    assert made["fit"]["rules"] == ["so far novel, not letter => plain", "plain => steer bible"]
    found = run(score, "--text", texts / "novel.txt", "--stage", f"{artefact}:0.5", "--json", capsys=capsys)
    plain, none = (run(score, "--text", texts / "novel.txt", *how, "--json", capsys=capsys)["nll"]
                   for how in ((), ("--stage", f"{artefact}:0")))
    assert found["nll"] != plain == none and found["stages"][0]["runs"] == "cpu" and found["stages"][0]["cuts"] == 1
    line = refused(score, "--ids", "1,2", "--model", "bilingual", "--stage", artefact, capsys=capsys)
    assert "tensor directions: expected F32 [8, 192], found F32 [8, 256]" in line
    save_artefact(texts / "other", "steering", "reasoning", ["residual"], dict(Artefact(artefact).tensors()),
                  model="0" * 64, fit={})
    assert "was fitted to another model" in refused(score, "--ids", "1,2", "--stage", texts / "other", capsys=capsys)


@pytest.mark.parametrize("given, complaint", [
    ((), "needs --toward and --away, or --concept NAME=FILE"),
    (("--toward", "novel.txt"), "needs --toward and --away"),
    (("--toward", "novel.txt", "--away", "same.txt"), "do not differ"),
    (("--toward", "novel.txt", "--away", "empty.txt"), "is empty"),
    (("--toward", "novel.txt", "--away", "bible.txt", "--rules", "bad"), "bad, line 1: unknown concept 'novel'"),
    (("--concept", "novel=novel.txt", "--concept", "bible=bible.txt"), "takes --concept with --rules"),
    (("--concept", "novel=novel.txt", "--rules", "rules"), "--concept must be given at least twice"),
    (("--concept", "novel", "--rules", "rules"), "--concept takes NAME=FILE"),
    (("--concept", "novel=novel.txt", "--concept", "bible=same.txt", "--rules", "rules"), "have the same text"),
    (("--concept", "novel=novel.txt", "--concept", "bible=empty.txt", "--rules", "rules"), "is empty"),
    (("--concept", "novel=novel.txt", "--concept", "bible=bible.txt", "--rules", "rules"), "unknown concept 'letter'"),
    (("--concept", "novel=novel.txt", "--concept", "bible=bible.txt", "--rules", "bad"), "no concept 'latin'"),
])
def test_what_cannot_be_fitted_is_refused_in_a_line(texts, capsys, monkeypatch, given, complaint):
    monkeypatch.chdir(texts)
    line = refused(pipeline, "fit", "--kind", "steering", "--method", "reasoning", *given, "-o", "x", capsys=capsys)
    assert complaint in line and not (texts / "x").exists()
