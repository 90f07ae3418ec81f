"""A list of control tokens is names and ids of the model; anything else is refused."""

import json

import pytest

from models.errors import ModelError
from models.vocabulary.control_tokens import MAGIC, checked_control_tokens, read_control_tokens


def test_a_folder_may_list_them(tmp_path):
    assert read_control_tokens(tmp_path, 10) == {}
    (tmp_path / MAGIC).write_text(json.dumps({"calm": 9}))
    assert read_control_tokens(tmp_path, 10) == {"calm": 9}
    with pytest.raises(ModelError, match=f"{MAGIC}: magic: expected an object from names to ids below 9"):
        read_control_tokens(tmp_path, 9)


@pytest.mark.parametrize("data", [[1], {"": 1}, {"a": "1"}, {"a": True}, {"a": 1.0}, {"a": -1}, {"a": 10}, None])
def test_what_is_no_list_is_refused(data):
    with pytest.raises(ModelError, match="magic: expected an object"):
        checked_control_tokens(data, 10)
