"""`tritloom COMMAND …`: every command of the project under one installed name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from tritloom.start import exit_on_interrupt, find_own_packages

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "generate": ("host.generate", "continue a text"),
    "chat": ("host.chat", "talk with a model in the terminal"),
    "serve": ("host.serve", "an OpenAI-compatible server, and a page to talk with"),
    "batch": ("host.batch", "continue several prompts at once"),
    "score": ("host.score", "how well a model predicts a text"),
    "bench": ("host.bench", "speed of a model on a device"),
    "doctor": ("host.doctor", "what keeps a board from working well, with the fix"),
    "selftest": ("host.selftest", "known vectors through every unit of a device"),
    "pipeline": ("host.pipeline.__main__", "fit norms, sparse activation and steering, and see where they run"),
    "models": ("host.models", "list, show and remove the models that have a short name"),
    "convert": ("models.convert", "a Hugging Face folder or a GGUF file to a model folder"),
    "synth": ("models.synth", "random weights of a real shape, for speed work"),
    "train": ("models.train.__main__", "quantisation-aware training of a small model"),
    "build": ("hw.build", "a board's accelerator: Verilog, registers, Vivado scripts"),
    "report": ("hw.report", "resources and logic levels of a build, from a Yosys run"),
    "analytic": ("hw.analytic.__main__", "what the analytic model predicts of builds"),
    "simulate": ("sim.bench.__main__", "cycles of the real-size design, simulated"),
    "notebooks": ("tritloom.copy_notebooks", "four notebooks to open in Jupyter"),
    "completion": ("tritloom.completion", "a shell's completion of this command"),
}
"""Name to the module that has the command's `main` and `parser`, and what it does."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command; its options are those of the one it names."""
    exit_on_interrupt()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] in (["--version"], ["-V"]):
        print(f"tritloom {_version()}")
    elif not given or given[0] in ("-h", "--help", "help"):
        print(_help())
    elif given[0] not in COMMANDS:
        print(f"error: unknown command {given[0]!r}; known: {', '.join(COMMANDS)}", file=sys.stderr)
        raise SystemExit(2)
    else:
        find_own_packages()
        from models.command import errors_in_one_line, run_command  # late: what is ours may be slow to import

        with errors_in_one_line():  # a package that is not installed
            command = importlib.import_module(COMMANDS[given[0]][0])
        run_command(command.main, given[1:])


def _version() -> str:
    try:
        return version("tritloom")
    except PackageNotFoundError:
        return "(a checkout that is not installed)"


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(["usage: tritloom COMMAND [options]", "       tritloom --version", "", *lines, "",
                      "tritloom COMMAND --help lists a command's options."])


if __name__ == "__main__":
    main()
