"""Rows that lie together for the compiled products, and products of more or fewer of them."""

import pytest

from host.emulator.dealing import Dealing
from host.emulator.image import ProgramError
from host.emulator.native_operation import NativeOperation


def rows(first, count):
    return NativeOperation(first_row=first, rows=count)


def parts(operations):
    return [(operation.first_row, operation.rows) for operation in operations]


def test_norms_learn_with_which_rows_theirs_are_taken():
    dealing, norms = Dealing(), [rows(4, 2), rows(6, 2), rows(8, 3)]
    for norm in norms:
        dealing.add(norm)
    assert parts(dealing.products(rows(4, 4))) == [(4, 4)]
    assert [(norm.product_first, norm.product_rows) for norm in norms] == [(4, 4), (4, 4), (8, 3)]
    assert parts(dealing.products(rows(8, 3))) == [(8, 3)]
    assert (norms[2].product_first, norms[2].product_rows) == (8, 3)


def test_a_product_of_more_rows_goes_by_what_was_dealt_out_together():
    dealing, second = Dealing(), rows(2, 2)
    dealing.add(rows(0, 2))
    dealing.products(rows(0, 2))
    dealing.add(second)
    assert parts(dealing.products(rows(0, 4))) == [(0, 2), (2, 2)]
    assert (second.product_first, second.product_rows) == (2, 2)
    assert parts(dealing.products(rows(2, 2))) == [(2, 2)]


def test_rows_dealt_out_anew_lie_anew():
    dealing = Dealing()
    for norm in (rows(0, 2), rows(2, 2)):
        dealing.add(norm)
        dealing.products(norm)
    dealing.add(rows(0, 4))
    assert parts(dealing.products(rows(0, 4))) == [(0, 4)]


def test_a_part_of_them_cannot_be_taken():
    dealing = Dealing()
    dealing.add(rows(0, 4))
    dealing.products(rows(0, 4))
    with pytest.raises(ProgramError, match="a part of the rows"):
        dealing.products(rows(0, 2))
