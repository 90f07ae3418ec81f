"""Generate text: `python -m host.generate --prompt TEXT`."""

from __future__ import annotations

import argparse
import json
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain

from tqdm import tqdm

from host.command_line import add_head_option, add_model_options, note_saturations, open_session, open_text, parse_ids
from host.control_tokens import add_magic_option, control_token
from host.engine.engine import Engine
from host.engine.reply import Finish, Reply
from host.engine.request import Request
from host.runtime import Session
from host.sampler import add_sampling_options, sampler_from
from host.screen import shown
from host.speculation import DRAFTS, PromptLookup
from host.stop_strings import StopStrings
from host.terminal.speeds import answer_speed, prompt_speed
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.text_file import is_piped, read_standard_input

__all__ = ["main", "parser"]

DEFAULT_PROMPT = "It was a truth"


def parser() -> CommandParser:
    """Its options."""
    parser = CommandParser("host.generate", description="Generate text with a ternary model.")
    add_model_options(parser)
    add_head_option(parser)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--prompt", metavar="TEXT",
                        help="text to continue, - for standard input (default: what is piped into the command, else "
                             f"{DEFAULT_PROMPT!r}); names of special tokens mean the token")
    source.add_argument("--ids", metavar="1,2,3", help="token ids to continue, taken as they are: needs no tokenizer")
    add_magic_option(parser)
    parser.add_argument("-n", type=int, default=100, metavar="N",
                        help="new tokens at most, as far as the context goes (default: 100)")
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
    sampler_from(options)  # refuses at once
    StopStrings(options.stop)
    lookup = None if options.speculate is None else PromptLookup(options.speculate)
    given = None if options.ids is None else parse_ids(options.ids)
    written = _prompt(options.prompt) if given is None else ""
    if given is None and not written:
        raise OptionError("the prompt is empty: there is no token to start from")
    session = open_session(options, progress=True)
    text = open_text(session, options.stop, needed=given is None)
    request = Request(text.prompt(written) if given is None else given, sampler_from(options), options.n,
                      stops=options.stop, drafts=lookup, magic=control_token(session.model.folder, options.magic))
    prompt = request.ids
    engine = Engine(session, text)
    reply = engine.add(request)
    steps = engine.run(reply)
    with tqdm(total=len(prompt), desc="prompt", unit="tok", file=sys.stderr, leave=False,
              disable=not sys.stderr.isatty()) as bar:
        while reply.prompt_done < len(prompt):
            next(steps)
            bar.update(reply.prompt_done - bar.n)
    if options.json:
        deque(steps, maxlen=0)
    else:
        _show(reply, steps, written if given is None else "")
    _report(options, session, reply)
    session.device.close()


def _prompt(asked: str | None) -> str:
    """The text of --prompt; of what is piped, the end of the last line is left out: `echo` puts one behind what is
    meant."""
    if asked not in (None, "-"):
        return asked
    piped = read_standard_input() if asked == "-" or is_piped() else ""
    return piped.replace("\r\n", "\n").removesuffix("\n") or (DEFAULT_PROMPT if asked is None else "")


def _show(reply: Reply, steps: Iterator[object], prompt: str) -> None:
    """Print a reply as it comes behind its prompt: text, or ids where there is no tokenizer."""
    print(shown(prompt), end="", flush=True)
    said = 0
    for _ in chain([None], steps):
        ids = "".join(f"{token} " for token in reply.ids[said:])
        said = len(reply.ids)
        print(ids if reply.text is None else shown(reply.take_text()), end="", flush=True)


def _report(options: argparse.Namespace, session: Session, reply: Reply) -> None:
    ids, cycles = reply.ids, session.counters.cycles
    tokens_per_pass = None
    if options.speculate is not None:
        tokens_per_pass = (len(ids) - 1) / reply.passes if reply.passes else 0.0
    if options.json:
        result = {"model": session.model.config.name, "prompt_ids": reply.request.ids, "ids": ids, "text": reply.text,
                  "finish": reply.finish.value, "prefill_s": reply.prefill_s, "decode_s": reply.decode_s,
                  "tokens_per_s": reply.speed, "device": options.device, "saturations": session.saturations}
        if tokens_per_pass is not None:
            result["tokens_per_pass"] = tokens_per_pass
        if cycles:
            result["cycles"] = cycles
        print(json.dumps(result))
    else:
        _report_line(options, reply, tokens_per_pass, cycles)
    if reply.finish == Finish.CONTEXT:
        print(f"note: the text ends at the context of {session.context} tokens", file=sys.stderr)
    note_saturations(session.saturations)


def _report_line(options: argparse.Namespace, reply: Reply, tokens_per_pass: float | None, cycles: int) -> None:
    print()
    simulated = f", {cycles} cycles" if cycles else ""
    speculated = f", {tokens_per_pass:.2f} a pass" if tokens_per_pass is not None else ""
    print(f"[{prompt_speed(reply)}; {answer_speed(reply)} on {options.device}{speculated}{simulated}]", file=sys.stderr)


if __name__ == "__main__":
    run_command(main)
