"""What a network is worth: bits per character of a text, and samples."""

import math

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor

from models.train.network import BitNet

__all__ = ["bits_per_character", "negative_log_likelihood", "sample"]


@torch.no_grad()
def negative_log_likelihood(network: BitNet, ids: Tensor, batch: int = 8) -> float:
    """Total nats of ids[1:], in windows of the context with a stride of half of it.

    The first window scores all its tokens, a later one those that the windows before it did not reach.
    """
    context = network.shape.context
    stride = context // 2
    training = network.training
    network.eval()
    total = 0.0
    starts = range(0, max(len(ids) - context, 0) + stride, stride)
    for first in range(0, len(starts), batch):
        windows = [ids[s : s + context] for s in starts[first : first + batch]]
        padded = torch.nn.utils.rnn.pad_sequence(windows, batch_first=True)
        logits = network(padded)
        for row, (start, window) in enumerate(zip(starts[first : first + batch], windows, strict=True)):
            begin = 0 if start == 0 else stride - 1
            scored, targets = logits[row, begin : len(window) - 1], window[begin + 1 :]
            total += F.cross_entropy(scored, targets, reduction="sum").item() if len(targets) else 0.0
    network.train(training)
    return total


def bits_per_character(network: BitNet, tokenizer: Tokenizer, text: str) -> float:
    """Bits per character of a text, scored after an end-of-text token, so that no token of it is left out."""
    ids = torch.tensor([0, *tokenizer.encode(text).ids])
    return negative_log_likelihood(network, ids) / math.log(2) / len(text)


@torch.no_grad()
def sample(
    network: BitNet, tokenizer: Tokenizer, prompt: str, length: int, temperature: float, top_k: int, seed: int
) -> str:
    """The prompt, after an end-of-text token, continued by `length` tokens, at most a context in all."""
    rng = torch.Generator().manual_seed(seed)
    network.eval()
    ids = [0, *tokenizer.encode(prompt).ids]
    for _ in range(min(length, network.shape.context - len(ids))):
        best = network(torch.tensor([ids]))[0, -1].topk(top_k)
        choice = torch.multinomial(F.softmax(best.values / temperature, dim=-1), 1, generator=rng)
        ids.append(int(best.indices[choice]))
    return tokenizer.decode(ids)
