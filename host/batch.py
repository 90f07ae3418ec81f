"""Continue several prompts at once: `python -m host.batch --prompt TEXT --prompt TEXT`.

Their sequences share the weights of every pass, so that all together take little longer than one. Each gives what
`host.generate` gives for it alone, with the same seed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence, Sized
from typing import Any

from tqdm import tqdm

from host.command_line import add_head_option, add_model_options, note_saturations, open_session, open_text, parse_ids
from host.control_tokens import add_magic_option, control_token
from host.engine.engine import Engine
from host.engine.reply import Reply
from host.engine.request import Request, check_room
from host.sampler import add_sampling_options, sampler_from
from host.screen import shown
from host.stop_strings import StopStrings
from host.terminal.speeds import duration
from hw.boards.registry import BUILDS
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.machine.registers import SEQUENCES
from models.text_file import lines_of, read_standard_input, read_text_file

__all__ = ["main", "parser"]

_SIDE_BY_SIDE = BUILDS["kv260"].rows  # share a weight


def parser() -> CommandParser:
    """Its options."""
    parser = CommandParser("host.batch", description="Continue several prompts at once.")
    add_model_options(parser)
    add_head_option(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--prompt", action="append", metavar="TEXT",
                        help="text to continue, once for each; names of special tokens mean the token")
    source.add_argument("--prompts", metavar="FILE", help="texts to continue, one a line, - for standard input; "
                        "empty lines are left out")
    source.add_argument("--ids", action="append", metavar="1,2,3",
                        help="token ids to continue, once for each: needs no tokenizer")
    add_magic_option(parser)
    parser.add_argument("-n", type=int, default=100, metavar="N", help="new tokens of each (default: 100)")
    parser.add_argument("--sequences", type=int, metavar="S",
                        help=f"how many run side by side, each with its own cache; the others wait (default: up to "
                             f"{_SIDE_BY_SIDE})")
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT",
                        help="end a sequence before this text or special token; may be given several times")
    add_sampling_options(parser)
    parser.add_argument("--jsonl", action="store_true",
                        help="print each result as it ends, a JSON object on a line of its own")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    if options.json and options.jsonl:
        raise OptionError("--json and --jsonl exclude each other")
    given = None if options.ids is None else [parse_ids(item) for item in options.ids]
    texts = None if given else options.prompt or _lines(options.prompts)
    _refuse_empty(texts or ())
    StopStrings(options.stop)
    sampler_from(options)  # refuses at once
    sequences = min(len(texts or given), _SIDE_BY_SIDE) if options.sequences is None else options.sequences
    if not 1 <= sequences <= SEQUENCES:
        raise OptionError(f"--sequences must be 1 to {SEQUENCES}, got {sequences}")
    session = open_session(options, progress=True, sequences=sequences)
    text = open_text(session, options.stop, needed=texts is not None)
    prompts = given or [text.prompt(item) for item in texts]
    _refuse_empty(prompts)
    token = control_token(session.model.folder, options.magic)
    requests = [Request(prompt, sampler_from(options), options.n, stops=options.stop, magic=token)
                for prompt in prompts]
    for number, request in enumerate(requests, 1):
        check_room(len(request.ids), options.n, session.context, f"prompt {number}")
    engine = Engine(session, text)
    replies = [engine.add(request) for request in requests]
    total = sum(len(request.ids) + options.n for request in requests)
    with tqdm(total=total, desc="batch", unit="tok", file=sys.stderr, leave=False,
              disable=not sys.stderr.isatty()) as bar:
        waiting = dict(enumerate(replies)) if options.jsonl else {}
        for _ in engine.run():
            bar.update(sum(reply.prompt_done + len(reply.ids) for reply in replies) - bar.n)
            for index in [index for index, reply in waiting.items() if reply.finish]:
                print(json.dumps({"index": index} | _result(waiting.pop(index))), flush=True)
    _report(options, engine, texts, replies)
    session.device.close()


def _result(reply: Reply) -> dict[str, Any]:
    return {"prompt_ids": reply.request.ids, "ids": reply.ids, "text": reply.text, "finish": reply.finish.value}


def _report(options: argparse.Namespace, engine: Engine, texts: list[str] | None, replies: Sequence[Reply]) -> None:
    work, session = engine.work, engine.session
    cycles = session.counters.cycles
    speed = work.decoded / work.decode_s if work.decode_s else 0.0
    if options.json:
        result = {"model": session.model.config.name, "results": [_result(reply) for reply in replies],
                  "passes": work.passes, "prefill_s": work.prefill_s, "decode_s": work.decode_s, "tokens_per_s": speed,
                  "device": options.device, "saturations": session.saturations}
        print(json.dumps(result | ({"cycles": cycles} if cycles else {})))
        note_saturations(session.saturations)
        return
    for index, reply in enumerate([] if options.jsonl else replies):
        print("\n" * bool(index) + (shown((texts[index] if texts else "") + reply.text) if reply.text is not None
                                    else " ".join(map(str, reply.ids))))
    simulated = f", {cycles} cycles" if cycles else ""
    print(f"[{len(replies)} prompts, {sum(len(reply.request.ids) for reply in replies)} tokens in "
          f"{duration(work.prefill_s)}, {sum(len(reply.ids) for reply in replies)} new at {speed:.1f} tok/s in all on "
          f"{options.device}{simulated}]", file=sys.stderr)
    note_saturations(session.saturations)


def _refuse_empty(prompts: Sequence[Sized]) -> None:
    for number, prompt in enumerate(prompts, 1):
        if not len(prompt):
            raise OptionError(f"prompt {number} is empty: there is no token to start from")


def _lines(path: str) -> list[str]:
    if path == "-":
        text = read_standard_input()
    else:
        text = read_text_file(path)
    lines = [line for line in lines_of(text) if line.strip()]
    if not lines:
        raise OptionError(f"{path} has no prompt: each line is one")
    return lines


if __name__ == "__main__":
    run_command(main)
