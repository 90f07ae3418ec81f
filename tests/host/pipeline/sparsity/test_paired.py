"""A mean difference and its standard error, against blocks that are known."""

import numpy as np
import pytest

from host.pipeline.sparsity.paired import paired_difference
from models.errors import OptionError


def test_the_error_is_that_of_the_blocks_means():
    second = np.arange(14.0)
    first = second + [1, 1, 1, 1, 3, 3, 3, 3, 8, 8, 8, 8, 99, 99]  # the last two make no block
    found = paired_difference(first, second, block=4)
    assert (found.mean, found.blocks) == (4, 3) and found.error == pytest.approx((13 / 3) ** 0.5)


def test_neighbours_that_depend_widen_it(rng):
    step = np.repeat(rng.normal(size=64), 32)  # as if only each block were drawn
    blocked, single = (paired_difference(step, np.zeros(len(step)), block).error for block in (32, 1))
    assert 5 < blocked / single < 6.2  # the root of 32, but for one degree of freedom
    with pytest.raises(OptionError, match="63 losses make no two blocks of 32"):
        paired_difference(step[:63], step[:63])
