"""How rows of activations lie for the compiled products: dealt out together, as the first product takes them."""

from __future__ import annotations

from host.emulator.image import ProgramError
from host.emulator.native_operation import NativeOperation

__all__ = ["Dealing"]


class Dealing:
    """Follows a program's norms and products in their order.

    Rows of a product lie side by side (native/machine.h), so a norm must know with which others its rows are taken. A
    later product of more rows goes by what was dealt out together, in as many operations.
    """

    def __init__(self) -> None:
        self._norms: list[NativeOperation] = []  # whose rows no product has taken yet
        self._dealt: dict[int, tuple[int, int]] = {}  # by row: the first one of those it lies with, and how many

    def add(self, norm: NativeOperation) -> None:
        """A norm gives new rows; where no product takes them, they lie by themselves."""
        norm.product_first, norm.product_rows = norm.first_row, norm.rows
        self._norms.append(norm)

    def products(self, product: NativeOperation) -> list[NativeOperation]:
        """The operations of a matrix product. `ProgramError` if it takes a part of rows that lie together."""
        first, end = product.first_row, product.first_row + product.rows
        taken = [norm for norm in self._norms if first <= norm.first_row < end]
        if taken:
            low = min(norm.first_row for norm in taken)
            rows = max(norm.first_row + norm.rows for norm in taken) - low
            for norm in taken:
                norm.product_first, norm.product_rows = low, rows
                self._norms.remove(norm)
            self._dealt.update((row, (low, rows)) for row in range(low, low + rows))
        found = []
        for part_first, part_rows in dict.fromkeys(self._dealt.get(row, (row, 1)) for row in range(first, end)):
            if part_first < first or part_first + part_rows > end:
                raise ProgramError("MATMUL takes a part of the rows that were dealt out together")
            part = NativeOperation.from_buffer_copy(product)
            part.first_row, part.rows = part_first, part_rows
            found.append(part)
        return found
