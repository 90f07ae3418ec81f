"""Generate text: `python -m host.generate --prompt TEXT`."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence

from tqdm import tqdm

from host.command_line import add_head_option, add_model_options, note_saturations, open_session, parse_ids
from host.runtime import Session
from host.sampler import Sampler, add_sampling_options, sampler_from
from host.screen import shown
from host.speculation import DRAFTS, PromptLookup
from host.stop_strings import StopStrings, stop_ids
from host.text import Text
from models.command import CommandParser, run_command
from models.errors import OptionError

__all__ = ["generate", "main", "parser"]

DEFAULT_PROMPT = "It was a truth"


def generate(session: Session, prompt: Sequence[int], count: int, sampler: Sampler,
             on_tokens: Callable[[int], None] | None = None, *, before: Sequence[int] = (),
             ends: Collection[int] | None = None, lookup: PromptLookup | None = None) -> Iterator[int]:
    """Yield up to `count` new ids after a prompt; ends early at an end-of-text token.

    before: ids already in the session's cache, for the sampler. ends: ids that end it (default: the model's).
    lookup: decode speculatively; the ids are the same. With each id, the cache holds all those before it.
    """
    _check_room(session, len(prompt), count, lookup)
    ends = session.model.config.eos_ids if ends is None else ends
    history, last = [*before, *prompt], session.position + len(prompt) + count - 1
    tops, drafts = [session.prefill(prompt, on_tokens)], []
    if lookup:
        lookup.extend(history)
    while True:
        for top, draft in zip(tops, [*drafts, None], strict=True):
            token = sampler(top, history)
            if token in ends:
                return
            yield token
            if session.position == last:
                return
            history.append(token)
            if lookup:
                lookup.extend([token])
            if token != draft:
                break
            session.position += 1
        drafts = lookup.propose(last - session.position - 1) if lookup else []
        tops = session.advance([(0, [token, *drafts])]) if drafts else [session.decode(token)]
        session.position -= len(drafts)
        if lookup:
            lookup.passes += 1


def _check_room(session: Session, prompt: int, count: int, lookup: PromptLookup | None) -> None:
    if count < 1:
        raise OptionError(f"new tokens must be at least 1, got {count}")
    if session.position + prompt + count - 1 > session.context:
        held = f"{session.position} tokens in the cache, " if session.position else ""
        raise OptionError(f"{held}a prompt of {prompt} tokens and {count} new ones exceed the context of "
                          f"{session.context}")
    if lookup and lookup.drafts >= session.rows:
        raise OptionError(f"{lookup.drafts} drafts take {lookup.drafts + 1} rows of a pass, but build "
                          f"{session.device.build.name} has {session.rows}")


def parser() -> CommandParser:
    """Its options."""
    parser = CommandParser("host.generate", description="Generate text with a ternary model.")
    add_model_options(parser)
    add_head_option(parser)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--prompt", default=DEFAULT_PROMPT, metavar="TEXT",
                        help=f"text to continue (default: {DEFAULT_PROMPT!r}); names of special tokens mean the token")
    source.add_argument("--ids", metavar="1,2,3", help="token ids to continue, taken as they are: needs no tokenizer")
    parser.add_argument("-n", type=int, default=100, metavar="N", help="new tokens (default: 100)")
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT",
                        help="end before this text or special token; may be given several times")
    parser.add_argument("--speculate", type=int, nargs="?", const=DRAFTS, metavar="K",
                        help=f"check K drafts, copied from the text so far, in each pass (default of K: {DRAFTS}): the "
                             "same tokens in fewer passes")
    add_sampling_options(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    sampler, stops = sampler_from(options), StopStrings(options.stop)
    lookup = None if options.speculate is None else PromptLookup(options.speculate)
    given = None if options.ids is None else parse_ids(options.ids)
    if given is None and not options.prompt:
        raise OptionError("the prompt is empty: there is no token to start from")
    session = open_session(options, progress=True)
    folder = session.model.folder
    text = Text(folder) if given is None or (folder / "tokenizer.json").exists() else None
    if text is None and options.stop:
        raise OptionError(f"--stop needs a tokenizer: {folder} has no tokenizer.json")
    prompt = text.prompt(options.prompt) if given is None else given
    ends = {*session.model.config.eos_ids, *(stop_ids(options.stop, text) if text else ())}
    started = time.perf_counter()
    with tqdm(total=len(prompt), desc="prompt", unit="tok", file=sys.stderr, leave=False,
              disable=not sys.stderr.isatty()) as bar:
        tokens = generate(session, prompt, options.n, sampler, bar.update, ends=ends, lookup=lookup)
        first = list(itertools.islice(tokens, 1))
    prefill_s = time.perf_counter() - started

    ids: list[int] = []
    pieces: list[str] = []

    def show(piece: str) -> None:
        pieces.append(piece)
        if not options.json:
            print(shown(piece), end="", flush=True)

    if not options.json and given is None:
        print(shown(options.prompt), end="", flush=True)
    decoder = text.stream(prompt) if text else None
    for token in itertools.chain(first, tokens):
        ids.append(token)
        show(stops(decoder(token)) if decoder else f"{token} ")
        if stops.found is not None:
            break
    if decoder:
        show(stops(decoder.end()) + stops.end())
    decode_s = time.perf_counter() - started - prefill_s
    passes = lookup.passes if lookup else None
    _report(options, session, prompt, ids, "".join(pieces) if text else None, prefill_s, decode_s, passes)
    session.device.close()


def _report(options: argparse.Namespace, session: Session, prompt: list[int], ids: list[int], text: str | None,
            prefill_s: float, decode_s: float, passes: int | None) -> None:
    speed = (len(ids) - 1) / decode_s if len(ids) > 1 and decode_s else 0.0
    cycles = session.counters.cycles
    tokens_per_pass = None if passes is None else (len(ids) - 1) / passes if passes else 0.0
    if options.json:
        result = {"prompt_ids": prompt, "ids": ids, "text": text, "prefill_s": prefill_s,
                  "decode_s": decode_s, "tokens_per_s": speed, "device": options.device,
                  "saturations": session.saturations}
        if tokens_per_pass is not None:
            result["tokens_per_pass"] = tokens_per_pass
        if cycles:
            result["cycles"] = cycles
        print(json.dumps(result))
        note_saturations(session.saturations)
        return
    print()
    simulated = f", {cycles} cycles" if cycles else ""
    speculated = f", {tokens_per_pass:.2f} a pass" if tokens_per_pass is not None else ""
    print(f"[{len(prompt)} prompt tokens in {prefill_s:.2f} s, {len(ids)} new at {speed:.1f} tok/s on "
          f"{options.device}{speculated}{simulated}]", file=sys.stderr)
    note_saturations(session.saturations)


if __name__ == "__main__":
    run_command(main)
