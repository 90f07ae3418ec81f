'''Blocks between `"""`: which are open, what is in them.'''

import pytest

from host.terminal.blocks import is_open, unfenced


@pytest.mark.parametrize("text, opened, inside", [
    ('"""', True, ""), ('"""one', True, "one"), ('  """one\ntwo', True, "one\ntwo"),
    ('"""one"""', False, "one"), ('"""\none\n\ntwo\n"""', False, "one\n\ntwo"), ('"""one""" ', False, "one"),
    ('""""""', False, ""), ('""', False, '""'), ('one """two', False, 'one """two'), ("\nplain ", False, "\nplain "),
    ('"""a "quoted" word"""', False, 'a "quoted" word'), ('"""\n/help\n"""', False, "/help"),
])
def test_blocks(text, opened, inside):
    assert is_open(text) == opened and unfenced(text) == inside
