"""Energy and material a token, against sums done by hand."""

import pytest

from hw.analytic.footprint import SECONDS_A_YEAR, Life, main, memory_joules
from models.command import run_command


def test_a_busy_board_takes_what_it_draws():
    life = Life(tokens_per_s=16.29, busy_watts=6.206, idle_watts=3.808, busy=1, years=3)
    assert life.joules_a_token == pytest.approx(0.381, abs=5e-4)  # as measured on that board
    assert life.joules_a_token - 3.808 / 16.29 == pytest.approx(0.147, abs=5e-4)  # over idle
    assert life.tokens == 16.29 * 3 * SECONDS_A_YEAR


def test_idle_time_is_paid_by_the_tokens():
    life = Life(tokens_per_s=10, busy_watts=6, idle_watts=4, busy=0.1, years=1)
    watts = 0.1 * 6 + 0.9 * 4
    assert life.joules_a_token == pytest.approx(watts * SECONDS_A_YEAR / life.tokens)


def test_a_longer_life_and_a_busier_one_save_alike():
    short, long, busy = (Life(10, 6, 4, share, years) for share, years in ((0.2, 1), (0.2, 3), (0.6, 1)))
    assert long.grams_per_million(100) == pytest.approx(busy.grams_per_million(100))
    assert short.grams_per_million(100) == pytest.approx(3 * long.grams_per_million(100))
    assert short.grams_per_million(100) * short.tokens == pytest.approx(100 * 1e6)


def test_bytes_cost_energy():
    assert memory_joules(1e9 / 8, 20) == pytest.approx(0.02)


def test_the_command_prints_a_table(capsys):
    main(["--tokens-per-s", "10", "--busy-watts", "6", "--idle-watts", "4"])
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 6 and lines[0].startswith("| busy | J a token |")
    assert lines[-1].split("|")[1:3] == [" 100% ", " 0.6 "]


@pytest.mark.parametrize("arguments, message", [
    (["--tokens-per-s", "0", "--busy-watts", "6", "--idle-watts", "4"], "--tokens-per-s must be above 0, got 0.0"),
    (["--tokens-per-s", "nan", "--busy-watts", "6", "--idle-watts", "4"], "--tokens-per-s must be above 0, got nan"),
    (["--tokens-per-s", "9", "--busy-watts", "6", "--idle-watts", "7"], "--idle-watts must be from 0 to the busy")])
def test_bad_input_is_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        run_command(main, arguments)
    err = capsys.readouterr().err
    assert exit_.value.code == 2 and err.startswith(f"error: {message}") and len(err.splitlines()) == 1
