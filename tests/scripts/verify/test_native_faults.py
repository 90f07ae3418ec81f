"""The planted faults of the compiled kernels have a place in today's sources."""

import pytest

from scripts.verify.native_faults.fault import NativeFault
from scripts.verify.native_faults.listed import NATIVE_FAULTS


@pytest.mark.parametrize("fault", NATIVE_FAULTS, ids=lambda fault: fault.place)
def test_every_fault_changes_one_line(fault):
    assert fault.wrong in fault.planted()


def test_a_fault_whose_place_is_gone_is_refused():
    with pytest.raises(ValueError, match="^head.h: 'no such text' occurs 0 times, not once$"):
        NativeFault("head.h", "no such text", "", "", "portable").planted()
