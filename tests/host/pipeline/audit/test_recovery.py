"""The audit of recovery: who counts as moved, back or strayed, what the command gives, and the page's verdicts."""

import numpy as np
import pytest

import host.pipeline.__main__ as pipeline
from host.pipeline.audit.recovery import Course, Recovery, _course
from models.command import run_command
from tests.host.pipeline.steering_bench.texts import write_texts
from tests.host.test_commands import refused, run


def test_the_first_and_the_last_window_count():
    scores = np.array([[1, 1, 1], [1, 1, -1], [2, -1, -1], [-1, 1, 1], [-1, 1, -1.0]])
    course = _course(0.5, "steered", scores)
    assert (course.moved, course.back, course.strayed) == ((3, 5), (2, 3), (1, 2))
    assert course.chance == 1 and course.scores == pytest.approx([0.4, 0.6, -0.2])
    assert course.errors[0] == pytest.approx(np.std([1, 1, 2, -1, -1], ddof=1) / 5**0.5)


@pytest.mark.parametrize("back, strayed, verdict", [
    (8, 0, "8 came back, 0 went the other way; more came back than wandering explains."),
    (0, 8, "0 came back, 8 went the other way; the opposite of resistance: the push gathers."),
    (5, 4, "5 came back, 4 went the other way; no more than wandering, a null.")])
def test_the_page_weighs_returns_against_strayings(back, strayed, verdict):
    scores = np.repeat([[1, -1.0], [-1, 1.0], [1, 1], [-1, -1]], [back, strayed, 3, 3], axis=0)
    courses = [_course(0, "no steering", scores), _course(0.2, "steered", scores)]
    page = Recovery.page({"method": "vector", "prompts": 14, "new_tokens": 8, "window": 4, "words": 2, "draws": 1,
                          "accuracy": [0.9, 0.8],
                          "courses": [one._asdict() | {"chance": one.chance} for one in courses]})
    assert page.splitlines()[-1] == f"- Strength 0.2: {verdict}" and "90.0% and 80.0%" in page
    assert page.count("| – | no steering | ") == 2 and f" of {back + 3} | " in page


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Texts in two manners and a vector between them, as options."""
    folder = tmp_path_factory.mktemp("texts")
    texts, stage = write_texts(folder), folder / "stage.safetensors"
    run_command(pipeline.main, ["fit", "--kind", "steering", "--method", "difference-of-means", "--tokens", "600",
                                "--toward", str(texts["bible"]), "--away", str(texts["novel"]), "-o", str(stage)])
    return ["--stage", stage, "--toward", texts["bible"], "--away", texts["novel"], "--held-out-toward",
            texts["held_bible"], "--held-out-away", texts["held_novel"]]


def test_the_command_gives_a_course_a_condition(made, capsys):
    capsys.readouterr()
    found = run(pipeline, "audit", "recovery", *made, "--strengths", "0.6", "--prompts", 5, "--new-tokens", 24,
                "--window", 8, "--draws", 2, "--json", capsys=capsys)
    courses = [Course(*list(one.values())[:-1]) for one in found["courses"]]
    assert [(one.strength, one.what) for one in courses] == [
        (0, "no steering"), (0.6, "steered"), (0.6, "stops after the first window"), (0.6, "random direction")]
    plain, steered, stops, random = (np.array(one.scores) for one in courses)
    assert len(steered) == 3 and steered.mean() > max(plain.mean(), random.mean()) + 0.3
    assert stops[-1] < steered[-1], "without its push a continuation is carried less far"
    assert courses[1].moved[1] == 5 and courses[3].moved[1] == 10


@pytest.mark.parametrize("option, complaint", [
    (("--strengths", "0"), "--strengths takes numbers above 0"), (("--strengths", "a"), "--strengths takes numbers"),
    (("--strengths", "1", "--new-tokens", 90), "--new-tokens must be at least 96"),
    (("--strengths", "1", "--new-tokens", 500), "--new-tokens must be at most 488"),
    (("--strengths", "1", "--prompts", 1), "--prompts must be at least 2")])
def test_bad_options_are_one_line(made, capsys, option, complaint):
    assert complaint in refused(pipeline, "audit", "recovery", *made, *option, capsys=capsys)


def test_a_stage_that_does_not_steer_is_refused(made, texts, tmp_path, capsys):
    mask = tmp_path / "mask.safetensors"
    run_command(pipeline.main, ["fit", "--kind", "sparsity", "--method", "top-k", "--text", str(texts / "austen.txt"),
                                "--tokens", "64", "-o", str(mask)])
    capsys.readouterr()
    assert "steers nothing: sparsity by top-k" in refused(
        pipeline, "audit", "recovery", *made, "--stage", mask, "--strengths", "1", capsys=capsys)
