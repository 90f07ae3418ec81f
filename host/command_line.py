"""What the commands share: options, and models and devices from them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from host.bitstream import DESCRIPTION, find_bitstream, find_description
from host.compiler.vocabulary import HEADS
from host.devices.base import Device
from host.devices.registry import DEVICES, open_device
from host.emulator.library import KERNELS
from host.model_option import add_model_option
from host.pipeline.host_steps import Look
from host.pipeline.placement import host_steps
from host.pipeline.site import Point
from host.runtime import Session
from host.sampling_defaults import take_defaults
from host.stage_options import Chosen, add_stage_options, chosen_stages
from host.text import Text
from host.waves_options import chosen_waves
from hw.boards.chosen_build import add_build_options, asks_for_build, chosen_build, read_build
from models.checkpoint import TOKENIZER, Model, load_model
from models.errors import OptionError
from models.machine.build import CPU, SHORTLIST, BuildParameters
from models.machine.dram_starts import DramStarts

__all__ = ["add_head_option", "add_model_options", "build_of", "check_device_options", "chosen_head", "device_options",
           "note_saturations", "open_model", "open_session", "open_text", "parse_ids", "start_session", "with_context"]


_SHORTLIST_VOCABULARY = 16384  # rows of a head below which a shortlist saves a fabric little


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """--model, --device, --serial-port, --board, --build, --set, --context, --dram-starts, --port-reads, --threads,
    --kernels, --dense, --stage, --place, --methods, --json."""
    add_model_option(parser)
    parser.add_argument("--device", default="emulator", metavar="NAME",
                        help=f"what runs it: {', '.join(DEVICES)} (default: emulator)")
    parser.add_argument("--serial-port", metavar="NAME",
                        help="of device serial: its port, such as /dev/ttyUSB0, or socket://HOST:PORT (default: the "
                             "one board that is connected)")
    add_build_options(parser, default=None, note="sim-tiny, on a board its bitstream's; the emulator takes weights as "
                                                 "they lie in the file and has no such limits")
    parser.add_argument("--context", type=int, metavar="N",
                        help="tokens the cache holds (default: the model's, as far as the build goes)")
    parser.add_argument("--dram-starts", type=Path, metavar="FILE",
                        help="where streams and caches begin in memory, as measured on this board (JSON: period, "
                             "streams, caches in bytes; default: the board's)")
    parser.add_argument("--port-reads", type=int, metavar="N",
                        help="on a board, reads that each memory port has under way, 1 to 16 (default: as it boots, 8)")
    parser.add_argument("--threads", type=int, metavar="N", help="of the emulator (default: as many processors as pay)")
    parser.add_argument("--kernels", default="auto", metavar="NAME",
                        help=f"of the emulator: {', '.join(KERNELS)} (default: auto); all give the same bits")
    parser.add_argument("--dense", action="store_true",
                        help="on the emulator, read also the weights that a zero makes useless; the same bits")
    add_stage_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def add_head_option(parser: argparse.ArgumentParser) -> None:
    """--head, for commands that look for the best next tokens."""
    parser.add_argument("--head", choices=("auto", *HEADS), default="auto",
                        help=f"exact takes the logits of all tokens, shortlist those of the {SHORTLIST} that a ternary "
                             "copy of the head finds best (default: auto, a shortlist on a fabric where decoding is "
                             f"greedy and there are at least {_SHORTLIST_VOCABULARY:,} tokens)")


def chosen_head(options: argparse.Namespace, vocab: int) -> str:
    """The head that --head stands for, "exact" or "shortlist"; exact for a command that has no such option.

    Says on standard error where samples are drawn from a shortlist.
    """
    head, temperature = getattr(options, "head", "exact"), getattr(options, "temperature", None)
    greedy = temperature == 0 and options.repeat_penalty == 1  # a penalty looks behind the best
    if head == "auto":
        fabric = options.device != "emulator"
        return "shortlist" if fabric and greedy and vocab >= _SHORTLIST_VOCABULARY else "exact"
    if head == "shortlist" and temperature:
        print(f"note: samples are drawn from {min(SHORTLIST, vocab)} exactly scored candidates", file=sys.stderr)
    return head


def open_session(options: argparse.Namespace, *, progress: bool, sequences: int = 1,
                 looks: Mapping[Point, Sequence[Look]] | None = None) -> Session:
    """The model of the options loaded on their device, with their stages and a cache for each of `sequences`.

    looks: who sees the values at points.
    """
    model = open_model(options)
    return start_session(options, model, chosen_stages(options, model), progress=progress, sequences=sequences,
                         looks=looks)


def open_model(options: argparse.Namespace) -> Model:
    """The model of the options, which their build can hold; its defaults of sampling go into them."""
    build = build_of(options)
    chosen_waves(options)
    if options.device != "emulator" and (options.threads is not None or options.kernels != "auto" or options.dense):
        raise OptionError(f"--threads, --kernels and --dense are the emulator's: device {options.device} has none")
    check_device_options(options)
    model = with_context(load_model(options.model), build, options.context)
    build.check(model.config)
    take_defaults(options, model.folder)
    return model


def start_session(options: argparse.Namespace, model: Model, chosen: Chosen, *, progress: bool,
                  sequences: int = 1, looks: Mapping[Point, Sequence[Look]] | None = None) -> Session:
    """A model of `open_model` on the device of the options, with chosen stages."""
    extra = device_options(options)
    if options.device == "emulator":
        extra = {"kernels": options.kernels, "threads": options.threads, "skip": not options.dense}
    elif options.device == "rtl":
        extra = {"waves": chosen_waves(options)}
    device: Device = open_device(options.device, build_of(options), **extra)
    if options.dram_starts is not None:
        device.starts = DramStarts.read(options.dram_starts)
    head = chosen_head(options, model.config.vocab_size)
    return Session(model, device, taps=chosen.placement.taps, sequences=sequences, head=head,
                   host_steps=host_steps(chosen.placement, model, looks), progress=progress)


def check_device_options(options: argparse.Namespace) -> None:
    """`OptionError` for an option that belongs to another device."""
    for value, option, owner in ((options.serial_port, "--serial-port", "serial"),
                                 (options.port_reads, "--port-reads", "pynq")):
        if value is not None and options.device != owner:
            raise OptionError(f"{option} belongs to device {owner}, not to {options.device}")


def device_options(options: argparse.Namespace) -> dict[str, object]:
    """What a device has to be told beside its build, to be opened: of `serial`, its port and its accel.json; of `pynq`,
    the reads that a memory port has under way. As `check_device_options` else."""
    check_device_options(options)
    if options.device == "serial":
        return {"port": options.serial_port, "description": options.build or find_description()}
    return {} if options.port_reads is None else {"port_reads": options.port_reads}


def build_of(options: argparse.Namespace) -> BuildParameters:
    """The build that the options name; where they name none, that of the bitstream, the emulator's own, or sim-tiny."""
    if not asks_for_build(options):
        if options.device == "emulator":
            return CPU
        if options.device == "pynq":
            return read_build(find_bitstream().with_name(DESCRIPTION))
        if options.device == "serial":
            return read_build(find_description())
    return chosen_build(options, "sim-tiny")


def open_text(session: Session, stops: Sequence[str], *, needed: bool) -> Text | None:
    """The tokenizer beside a session's model; None where there is none, unless prompts or stop strings need it."""
    folder = session.model.folder
    if needed or (folder / TOKENIZER).exists():
        return Text(folder)
    if stops:
        raise OptionError(f"--stop needs a tokenizer: {folder} has no {TOKENIZER}")
    return None


def with_context(model: Model, build: BuildParameters, context: int | None) -> Model:
    """The model with a cache of `context` tokens; None: its own context, or the build's where that is shorter."""
    if context is None:
        context = min(model.config.context, build.context_max)
        if context < model.config.context:
            print(f"note: the context is {context} tokens of the model's {model.config.context}", file=sys.stderr)
    if not 1 <= context <= model.config.context:
        raise OptionError(f"--context must be 1 to the model's {model.config.context}, got {context}")
    return replace(model, config=replace(model.config, context=context))


def note_saturations(count: int) -> None:
    """Says on standard error that numbers of the residual saturated, where any did: no answer is silently wrong."""
    if count:
        print(f"note: {count} numbers of the residual saturated, so this is not quite what the model would say: steer "
              "with less strength, or convert the model again, as conversion finds the room it needs", file=sys.stderr,
              flush=True)


def parse_ids(value: str) -> list[int]:
    """Token ids as the user writes them: 1,2,3."""
    try:
        return [int(item) for item in value.split(",")]
    except ValueError:
        raise OptionError(f"--ids must be numbers with commas between, got {value!r}") from None
