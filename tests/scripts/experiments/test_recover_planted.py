"""What was planted is found; a random dictionary and the null are far from it."""

from scripts.experiments.recover_planted import snmf_row


def test_planted_directions_are_found_and_nulls_are_not():
    found, random, null = snmf_row(2, 5)
    assert found > 0.9 and random < 0.3 and null < 0.7
