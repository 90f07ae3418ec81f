"""An image reaches the board's memory, and only what is not there already is sent."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from host.link.client import Client
from host.link.failures import LinkError, NoAnswerError
from host.link.upload import PAGE, Run, header_of, runs_of, upload
from models.machine.link import Operation
from tests.host.link.modelled_line import TO_BOARD, Harm, ModelledLine
from tests.host.link.opened import new_board

HEADER = (1 << 20) - PAGE


@pytest.fixture
def board():
    return new_board()


@pytest.fixture
def image(rng):
    """Weights, a cache of zeros, weights."""
    found = rng.integers(0, 256, 120 * PAGE, np.uint8)
    found[40 * PAGE:80 * PAGE] = 0
    return found


def put(board, image):
    """By a process of its own: bytes that it sent."""
    return upload(Client(ModelledLine(board)), image, 0, HEADER)


def test_pages_that_are_alike_are_taken_together(image):
    assert list(runs_of(image)) == [Run(0, 40 * PAGE, False), Run(40 * PAGE, 40 * PAGE, True),
                                    Run(80 * PAGE, 40 * PAGE, False)]
    assert list(runs_of(np.zeros(PAGE, np.uint8))) == [Run(0, PAGE, True)]


def test_the_header_names_the_image(image):
    header = header_of(image)
    assert header[:8] == b"TRITLOOM" and int.from_bytes(header[8:16], "little") == image.size
    assert header[16:48] == hashlib.sha256(image).digest() and len(header) == 48


def test_memory_equals_the_image_and_keeps_it_for_the_next_process(board, image):
    assert put(board, image) == 80 * PAGE
    assert np.array_equal(board.memory[:image.size], image)
    board.memory[50 * PAGE] = 1  # as a run writes into the cache
    board.reset()
    board.executed.clear()
    assert put(board, image) == 0
    assert np.array_equal(board.memory[:image.size], image)
    assert Operation.WRITE_MEMORY not in board.executed and len(board.executed) < 10


def test_what_was_overwritten_is_sent_again_alone(board, image):
    put(board, image)
    board.memory[[3 * PAGE + 5, 100 * PAGE]] ^= 1
    assert put(board, image) <= 8 * PAGE
    assert np.array_equal(board.memory[:image.size], image)


def test_another_image_is_sent_as_a_whole(board, image):
    put(board, image)
    image[7] ^= 1
    assert put(board, image) == 80 * PAGE
    assert np.array_equal(board.memory[:image.size], image)


def test_an_upload_that_ended_early_goes_on_where_it_stopped(board, image):
    line = ModelledLine(board)
    client = Client(line)
    line.harms = [Harm(TO_BOARD, line.passed[TO_BOARD] + 50 * PAGE, act=lambda: setattr(line, "cut", TO_BOARD))]
    with pytest.raises(NoAnswerError):
        upload(client, image, 0, HEADER)
    assert put(board, image) < 40 * PAGE
    assert np.array_equal(board.memory[:image.size], image)


def test_memory_that_does_not_keep_its_bytes_is_named(board, image):
    def stuck(address, size):
        board.memory[90 * PAGE] = image[90 * PAGE] ^ 1

    board.core.wrote = stuck
    with pytest.raises(LinkError, match=f"does not keep what is written at {88 * PAGE:#x}|{90 * PAGE:#x}"):
        put(board, image)
