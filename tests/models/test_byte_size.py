import pytest

from models.byte_size import byte_size


@pytest.mark.parametrize(("count", "text"), [
    (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (123_456, "123.5 kB"), (48_000_000, "48.0 MB"),
    (1_180_000_000, "1.18 GB"), (54_321_000_000, "54.32 GB")])
def test_sizes(count, text):
    assert byte_size(count) == text
