"""Python values to and from the bit vector that Amaranth makes of a port with a layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amaranth.hdl import ShapeLike
    from amaranth.lib import data

__all__ = ["Packing"]


@dataclass(frozen=True)
class Packing:
    """Both directions for one shape, prepared once because they run every cycle.

    A struct is a dict of its fields, an array a list, anything else (enumerations too) an int within its shape's
    range; NumPy integers and arrays are welcome when packing. ``pack`` raises ValueError for a value out of range,
    a missing or an unknown field, or a wrong length.
    """

    width: int
    pack: Callable[[Any], int]
    unpack: Callable[[int], Any]

    @classmethod
    def of(cls, shape: ShapeLike) -> Packing:
        """The packing of an Amaranth shape: integers, enumerations, struct and array layouts, nested at will."""
        from amaranth.hdl import Shape  # late: it takes a third of a second, and many benches have plain bits alone
        from amaranth.lib import data

        if isinstance(shape, data.ArrayLayout):
            return _array(shape)
        if isinstance(shape, data.UnionLayout):
            raise TypeError("a union has no single value: pack the member that is meant, or the bits")
        if isinstance(shape, data.Layout):
            return _struct(shape)
        if isinstance(shape, type) and issubclass(shape, data.Struct):
            return cls.of(shape.as_shape())
        integer = Shape.cast(shape)
        return cls.integer(integer.width, signed=integer.signed)

    @classmethod
    def integer(cls, width: int, *, signed: bool = False) -> Packing:
        """That of a number."""
        mask, sign = (1 << width) - 1, 1 << (width - 1) if signed else 0
        low, high = -sign, (sign or mask + 1) - 1

        def pack(value: Any) -> int:
            value = int(value)
            if not low <= value <= high:
                raise ValueError(f"{value} does not fit {'signed' if signed else 'unsigned'}({width})")
            return value & mask

        return cls(width, pack, (lambda bits: (bits ^ sign) - sign) if sign else (lambda bits: bits))


def _struct(layout: data.Layout) -> Packing:
    fields = {name: (Packing.of(field.shape), field.offset) for name, field in layout}

    def pack(value: Mapping[str, Any]) -> int:
        if value.keys() != fields.keys():
            raise ValueError(f"fields {sorted(value)} given for {sorted(fields)}")
        return sum(field.pack(value[name]) << offset for name, (field, offset) in fields.items())

    def unpack(bits: int) -> dict[str, Any]:
        return {
            name: field.unpack(bits >> offset & (1 << field.width) - 1) for name, (field, offset) in fields.items()
        }

    return Packing(layout.size, pack, unpack)


def _array(layout: data.ArrayLayout) -> Packing:
    element, length = Packing.of(layout.elem_shape), layout.length
    mask = (1 << element.width) - 1
    offsets = range(0, length * element.width, element.width) if element.width else [0] * length

    def pack(values: Any) -> int:
        if len(values) != length:
            raise ValueError(f"{len(values)} elements given for {length}")
        return sum(element.pack(value) << offset for value, offset in zip(values, offsets, strict=True))

    def unpack(bits: int) -> list[Any]:
        return [element.unpack(bits >> offset & mask) for offset in offsets]

    return Packing(layout.size, pack, unpack)
