"""Python values against Amaranth's own constants of the same layouts, both ways."""

import enum

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from amaranth.lib import data
from hypothesis import given
from hypothesis import strategies as st

from sim.packing import Packing

LAYOUT = data.StructLayout(
    {
        "row": 3,
        "value": signed(9),
        "lanes": data.ArrayLayout(signed(4), 3),
        "pair": data.StructLayout({"mantissa": unsigned(24), "exponent": signed(10)}),
        "last": 1,
    }
)

VALUES = st.fixed_dictionaries(
    {
        "row": st.integers(0, 7),
        "value": st.integers(-256, 255),
        "lanes": st.lists(st.integers(-8, 7), min_size=3, max_size=3),
        "pair": st.fixed_dictionaries({"mantissa": st.integers(0, 2**24 - 1), "exponent": st.integers(-512, 511)}),
        "last": st.integers(0, 1),
    }
)


@given(VALUES)
def test_the_bits_are_amaranths(value):
    packing = Packing.of(LAYOUT)
    bits = packing.pack(value)
    assert packing.width == LAYOUT.size
    assert bits == LAYOUT.const(value).as_bits()
    assert packing.unpack(bits) == value


def test_classes_fields_and_enumerations():
    class Kind(enum.IntEnum):
        LOW = 0
        HIGH = 5

    class Word(data.Struct):
        kind: Kind
        count: signed(3)

    packing = Packing.of(Word)
    assert packing.pack({"kind": Kind.HIGH, "count": -4}) == 0b100_101
    assert packing.unpack(0b111_101) == {"kind": Kind.HIGH, "count": -1}
    gaps = data.FlexibleLayout(16, {"low": data.Field(4, 0), "high": data.Field(signed(4), 12)})
    assert Packing.of(gaps).pack({"low": 3, "high": -1}) == 0xF003
    assert Packing.of(gaps).width == 16


def test_numpy_values_are_welcome():
    packing = Packing.of(data.ArrayLayout(signed(8), 4))
    assert packing.pack(np.array([-1, 0, 127, -128], np.int8)) == 0x807F00FF
    assert Packing.of(12).pack(np.uint16(4095)) == 4095


@pytest.mark.parametrize(
    "shape, value",
    [
        (unsigned(4), 16),
        (unsigned(4), -1),
        (signed(4), 8),
        (signed(4), -9),
        (data.ArrayLayout(4, 2), [1]),
        (data.ArrayLayout(4, 2), [1, 2, 3]),
        (data.StructLayout({"a": 4}), {}),
        (data.StructLayout({"a": 4}), {"a": 1, "b": 2}),
    ],
)
def test_what_does_not_fit_is_refused(shape, value):
    with pytest.raises(ValueError):
        Packing.of(shape).pack(value)


def test_a_union_has_no_single_value():
    with pytest.raises(TypeError, match="union"):
        Packing.of(data.UnionLayout({"a": 4, "b": 2}))
