"""A tiny corpus, tokenizer and network for the tests of training. Without PyTorch those are skipped."""

import pytest

TEXT = "It was the best of walks, and she said that £20,000 was little.\nAnd the LORD spake unto them.\n" * 40


@pytest.fixture(scope="session")
def text():
    return TEXT


@pytest.fixture(scope="session")
def tokenizer():
    from models.train.tokenizer import train_tokenizer

    return train_tokenizer([TEXT], 280)


@pytest.fixture
def network():
    torch = pytest.importorskip("torch")
    from models.train.network import BitNet
    from models.train.recipe import Shape

    torch.manual_seed(1)
    shape = Shape(vocab=280, hidden=64, ffn=128, layers=2, heads=2, kv_heads=1, head_dim=32, context=32)
    return BitNet(shape).eval()
