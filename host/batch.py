"""Continue several prompts at once: `python -m host.batch --prompt TEXT --prompt TEXT`.

Their sequences share the weights of every pass, so that all together take little longer than one. Each gives what
`host.generate` gives for it alone, with the same seed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from tqdm import tqdm

from host.batching import Batch
from host.command_line import add_head_option, add_model_options, note_saturations, open_session, parse_ids
from host.runtime import Session
from host.sampler import add_sampling_options, sampler_from
from host.screen import shown
from host.stop_strings import StopStrings, stop_ids
from host.text import Text
from models.command import CommandParser, run_command
from models.errors import OptionError
from models.machine.registers import SEQUENCES
from models.text_file import lines_of, read_standard_input, read_text_file

__all__ = ["main", "parser"]

SIDE_BY_SIDE = 8  # the rows that share a weight on the KV260


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
    parser.add_argument("-n", type=int, default=100, metavar="N", help="new tokens of each (default: 100)")
    parser.add_argument("--sequences", type=int, metavar="S",
                        help=f"how many run side by side, each with its own cache; the others wait (default: up to "
                             f"{SIDE_BY_SIDE})")
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT",
                        help="end a sequence before this text or special token; may be given several times")
    add_sampling_options(parser)
    return parser


class _Answer:
    """What a prompt has become: its new ids, and their text where there is a tokenizer."""

    def __init__(self, text: Text | None, prompt: list[int], stops: Sequence[str]):
        self.ids: list[int] = []
        self._stops, self._decoder, self._pieces = StopStrings(stops), text.stream(prompt) if text else None, []

    def add(self, token: int) -> bool:
        """Take the next id; whether a stop string came with it."""
        self.ids.append(token)
        if self._decoder:
            self._pieces.append(self._stops(self._decoder(token)))
        return self._stops.found is not None

    def text(self) -> str | None:
        """All text, once no more comes."""
        if not self._decoder:
            return None
        return "".join(self._pieces) + self._stops(self._decoder.end()) + self._stops.end()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    given = None if options.ids is None else [parse_ids(item) for item in options.ids]
    texts = None if given else options.prompt or _lines(options.prompts)
    for number, item in enumerate(texts or (), 1):
        if not item:
            raise OptionError(f"prompt {number} is empty: there is no token to start from")
    StopStrings(options.stop)
    samplers = [sampler_from(options) for _ in texts or given]
    sequences = min(len(samplers), SIDE_BY_SIDE) if options.sequences is None else options.sequences
    if not 1 <= sequences <= SEQUENCES:
        raise OptionError(f"--sequences must be 1 to {SEQUENCES}, got {sequences}")
    session = open_session(options, progress=True, sequences=sequences)
    folder = session.model.folder
    text = Text(folder) if texts or (folder / "tokenizer.json").exists() else None
    if text is None and options.stop:
        raise OptionError(f"--stop needs a tokenizer: {folder} has no tokenizer.json")
    prompts = given or [text.prompt(item) for item in texts]
    ends = {*session.model.config.eos_ids, *(stop_ids(options.stop, text) if text else ())}
    batch = Batch(session, prompts, options.n, samplers, ends=ends)
    answers = [_Answer(text, prompt, options.stop) for prompt in prompts]
    with tqdm(total=sum(map(len, prompts)) + options.n * len(prompts), desc="batch", unit="tok", file=sys.stderr,
              leave=False, disable=not sys.stderr.isatty()) as bar:
        for index, token in batch.run(bar.update):
            bar.update(1)
            if answers[index].add(token):
                batch.stop(index)
    _report(options, batch, session, texts, prompts, answers)
    session.device.close()


def _report(options: argparse.Namespace, batch: Batch, session: Session, texts: list[str] | None,
            prompts: list[list[int]], answers: list[_Answer]) -> None:
    cycles = session.counters.cycles
    speed = batch.decoded / batch.decode_s if batch.decode_s else 0.0
    if options.json:
        results = [{"prompt_ids": prompt, "ids": answer.ids, "text": answer.text()}
                   for prompt, answer in zip(prompts, answers, strict=True)]
        result = {"results": results, "passes": batch.passes, "prefill_s": batch.prefill_s, "decode_s": batch.decode_s,
                  "tokens_per_s": speed, "device": options.device, "saturations": session.saturations}
        print(json.dumps(result | ({"cycles": cycles} if cycles else {})))
        note_saturations(session.saturations)
        return
    for index, answer in enumerate(answers):
        said = answer.text()
        print("\n" * bool(index) + (shown((texts[index] if texts else "") + said) if said is not None
                                    else " ".join(map(str, answer.ids))))
    simulated = f", {cycles} cycles" if cycles else ""
    print(f"[{len(prompts)} prompts, {sum(map(len, prompts))} tokens in {batch.prefill_s:.2f} s, "
          f"{sum(len(answer.ids) for answer in answers)} new at {speed:.1f} tok/s in all on {options.device}"
          f"{simulated}]", file=sys.stderr)
    note_saturations(session.saturations)


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
