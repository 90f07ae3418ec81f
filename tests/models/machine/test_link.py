import re
from pathlib import Path

from models.machine.link import (
    ANSWERED,
    GREETING,
    MOST_FRAME,
    OPERATIONS,
    REPLY,
    RESULT,
    Greeting,
    LinkStatus,
    Operation,
)

PAGE = (Path(__file__).parents[3] / "docs/link.md").read_text("utf-8")


def test_the_page_has_the_operations_and_statuses_of_the_table():
    rows = re.findall(r"^\| (\d+) ([A-Z_]+) ", PAGE, re.MULTILINE)
    assert rows == [(str(int(word)), word.name) for word in (*Operation, *LinkStatus)]


def test_each_operation_has_its_rules_and_an_answer_of_its_own():
    assert list(OPERATIONS) == list(Operation)
    assert all(operation < ANSWERED for operation in Operation)


def test_no_answer_is_longer_than_a_request():
    assert REPLY.size + 1024 + RESULT.size <= MOST_FRAME


def test_a_greeting_has_its_fields():
    assert len(GREETING.unpack(bytes(GREETING.size))) == len(Greeting._fields)
