"""The choice: what fits, what is preferred, what it says where nothing does."""

from dataclasses import replace

import pytest

from hw.analytic.explore import candidates, explore, fits
from hw.analytic.prediction import predict
from hw.analytic.sites import engine_sites
from hw.analytic.tables import choice_table, error_percent
from hw.boards.board import Share
from hw.boards.device import Resources
from hw.boards.registry import BOARDS, BUILDS, board_named
from models.checkpoint import load_config
from models.config import PRESETS
from models.errors import BuildError, OptionError

KV260 = BOARDS["kv260"]
DEMO = load_config("demo")


def test_every_candidate_holds_the_model():
    for build in candidates(DEMO, KV260):
        build.check(DEMO)
        assert build.row_batches == 1 or build.shared_rows(DEMO) == build.slots


def test_the_choice_fits_and_nothing_that_fits_is_faster():
    found = explore(DEMO, KV260)
    best, share = found[0], Share()
    assert all(fits(prediction.engine, KV260, share) for prediction in found)
    for prediction in found:
        assert prediction.decode.cycles <= 1.006 * best.decode.cycles or prediction.decode.cycles >= best.decode.cycles
        assert prediction.prefill.cycles_a_row >= best.prefill.cycles_a_row / 1.006
    every = [predict(DEMO, build, KV260.memory).decode.cycles for build in candidates(DEMO, KV260)
             if build.row_batches == 1 and build.rows == 1 and build.weight_buffer_steps == 4096]
    assert best.decode.cycles <= 1.006 * min(every)


def test_predictions_of_the_search_are_those_of_the_build():
    """Rows are left out of what cycles are looked up by."""
    for found in explore(DEMO, KV260)[:3]:
        alone = predict(DEMO, found.build, KV260.memory)
        assert alone == found


def test_a_small_share_takes_fewer_rows():
    rows = [explore(DEMO, KV260, Share(lut=lut))[0].build.rows for lut in (0.45, 0.25, 0.16)]
    assert rows == sorted(rows, reverse=True) and rows[0] > rows[-1]


def test_nothing_fits():
    with pytest.raises(BuildError, match="no build for .* fits its share of the XCK26"):
        explore(DEMO, KV260, Share(lut=0.01))


def test_a_share_counts_every_site():
    engine = engine_sites(BUILDS["kv260"])
    assert fits(engine, KV260, Share())
    for name in ("lut", "uram", "bram36"):
        assert not fits(replace(engine, **{name: getattr(KV260.device.sites, name)}), KV260, Share())
    assert not fits(replace(engine, dsp=1e6), KV260, Share())


def test_the_shipped_build_is_of_the_choices_speed():
    """The kv260 build holds both models, a choice only the one that it is made for."""
    config = PRESETS["bitnet-0.73b"]
    shipped, chosen = predict(config, BUILDS["kv260"], KV260.memory), explore(config, KV260)[0]
    assert shipped.decode.cycles <= 1.006 * chosen.decode.cycles
    assert fits(shipped.engine, KV260, Share())


@pytest.mark.parametrize("board", ["rfsoc4x2", "arty_z7"])
def test_other_boards_have_a_choice(board):
    described = board_named(board)
    assert explore(DEMO, described)[0].build.name == board


def test_what_the_arty_may_have_leaves_room_for_its_other_units():
    """Their sites are those that Yosys counts (docs/measurements.md)."""
    board, found = board_named("arty_z7"), explore(DEMO, board_named("arty_z7"))
    others = Resources(lut=23_711 + 9_740 + 2_633, lutram=1_298 + 1_002 + 599, ff=17_869 + 10_922 + 2_459,
                       dsp=107 + 77 + 20, bram36=17 + 4.5, uram=0)
    for prediction in found:
        assert board.device.fits(prediction.engine + others)
    assert fits(engine_sites(board.build), board, board.share)


def test_a_board_that_is_only_simulated_has_none():
    with pytest.raises(BuildError, match="no build can be chosen for board sim-tiny: it is only simulated"):
        explore(DEMO, BOARDS["sim-tiny"])


def test_an_unknown_board_is_named():
    with pytest.raises(OptionError, match="unknown board 'nexys'; known: arty_z7, kv260, rfsoc4x2, sim-tiny"):
        board_named("nexys")


def test_tables_hold_the_figures():
    prediction = predict(DEMO, BUILDS["kv260"], KV260.memory)
    text = choice_table([("build", prediction)], KV260, Share())
    assert f"{prediction.engine.lut:,}" in text and f"{prediction.decode.cycles:,.0f}" in text and "XCK26" in text
    assert error_percent(110, 100) == "+10.0" and error_percent(2, 2) == "+0.0" and error_percent(0, 0) == ""
