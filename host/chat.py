"""Talk with a model in the terminal: `python -m host.chat --model DIR`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from host.command_line import add_head_option, add_model_options, open_model, start_session
from host.control_tokens import add_magic_option, control_token
from host.conversation import Conversation
from host.sampler import add_sampling_options, sampler_from
from host.stage_options import chosen_stages
from host.stop_strings import StopStrings
from host.terminal.talk import PLAIN_TOKENS, Talk
from models.command import CommandParser, run_command
from models.errors import OptionError

__all__ = ["main", "parser"]


def parser() -> CommandParser:
    """Its options."""
    parser = CommandParser(
        "host.chat", description="Talk with a model. Where standard input is no terminal, every line of it is a "
        "turn or a command. With --json, every answer is an object on a line of its own.")
    add_model_options(parser)
    parser.set_defaults(model="chat")
    add_head_option(parser)
    add_magic_option(parser)
    parser.add_argument("--system", metavar="TEXT", help="the system message")
    parser.add_argument("-n", type=int, metavar="N", help="tokens of an answer at most (default: as the context "
                        f"allows; {PLAIN_TOKENS} for a model without a chat template)")
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT",
                        help="end an answer before this text or special token; may be given several times")
    add_sampling_options(parser)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    if sys.stdin is None:  # closed: the input has ended before it began
        return
    if options.n is not None and options.n < 1:
        raise OptionError(f"-n must be at least 1, got {options.n}")
    StopStrings(options.stop)
    sampler_from(options)  # refuses at once
    model = open_model(options)
    chosen = chosen_stages(options, model)
    token = control_token(model.folder, options.magic)
    session = start_session(options, model, chosen, progress=True)
    talk = Talk(Conversation(session, options.system, token), sampler_from(options), options, chosen)
    try:
        talk.run()
    finally:
        session.device.close()


if __name__ == "__main__":
    run_command(main)
