"""One training run from end to end: corpus, tokenizer, training, export, held-out figures, samples."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

import torch
from tokenizers import Tokenizer
from torch import Tensor

from models.errors import ModelError
from models.train.corpus import Corpus, Sampler, encode, read_corpus
from models.train.evaluate import bits_per_character, sample
from models.train.export import export
from models.train.freezing import free_only
from models.train.initial import read_initial
from models.train.loop import train
from models.train.network import BitNet
from models.train.recipe import Recipe, Shape
from models.train.tokenizer import load_tokenizer, train_tokenizer

__all__ = ["run", "stream_weights"]

LOGGED_CHARACTERS = 20_000
"""How much of every held-out text the log scores while a run goes on."""


def _tokenizer(args: argparse.Namespace, corpus: Corpus, vocab: int) -> Tokenizer:
    if args.resume:
        return load_tokenizer(args.output / "tokenizer.json")
    if args.tokenizer:
        return load_tokenizer(args.tokenizer)
    return train_tokenizer((text for texts in corpus.training.values() for text in texts), vocab)


def stream_weights(asked: Sequence[float] | None, streams: Sequence[Tensor]) -> list[float]:
    """How often each stream is drawn: as asked, or by size; `ModelError` for weights that make no sense."""
    weights = list(asked or ()) or [float(len(stream)) for stream in streams]
    if len(weights) != len(streams):
        raise ModelError(f"{len(weights)} weights for {len(streams)} texts")
    if min(weights) < 0 or sum(weights) <= 0:
        raise ModelError(f"weights must not be negative, nor all zero: {weights}")
    return weights


def run(args: argparse.Namespace, shape: Shape, recipe: Recipe) -> None:
    """Trains as the command line says. Log on standard error, figures and samples on standard output."""
    corpus = read_corpus(args.text, args.hold_out, args.hold_out_book)
    initial = read_initial(args.initial, shape) if args.initial else None
    tokenizer = initial.tokenizer if initial else _tokenizer(args, corpus, shape.vocab)
    shape = initial.shape if initial else replace(shape, vocab=tokenizer.get_vocab_size())
    streams = [encode(tokenizer, texts) for texts in corpus.training.values()]
    sampler = Sampler(streams, stream_weights(args.weights, streams), recipe.batch, shape.context, recipe.seed)
    torch.set_num_threads(args.threads)
    torch.manual_seed(recipe.seed)
    dtype = getattr(torch, recipe.dtype)
    network = BitNet(shape, recipe.dropout, dtype=dtype)
    if initial:
        network.load_state_dict(initial.state)
    if args.only:
        free_only(network, args.only)
    args.output.mkdir(parents=True, exist_ok=True)
    for name, stream in zip(corpus.training, streams, strict=True):
        print(f"{name}: {len(stream)} tokens", file=sys.stderr)
    print(f"{sum(p.numel() for p in network.parameters())} parameters, "
          f"{sum(p.numel() for p in network.parameters() if p.requires_grad)} of them trained", file=sys.stderr,
          flush=True)

    def score(characters: int | None) -> str:
        network.dtype = torch.float32
        scores = {n: bits_per_character(network, tokenizer, t[:characters]) for n, t in corpus.held_out.items()}
        network.dtype = dtype
        return "held-out bits per character: " + ", ".join(f"{n} {bits:.4f}" for n, bits in scores.items())

    def saved() -> str:
        export(network, tokenizer, args.output)
        return score(LOGGED_CHARACTERS)

    checkpoint = args.output / "checkpoint.pt"
    seconds = train(network, sampler, recipe, checkpoint, saved, resume=args.resume, compiled=args.compile)
    print(f"{seconds:.0f} seconds; whole texts, {score(None)}")
    network.dtype = torch.float32
    for prompt in args.prompt:
        text = sample(network, tokenizer, prompt, length=150, temperature=0.8, top_k=40, seed=recipe.seed)
        print(f"--- {text}")
