"""Fit a steering artefact: `python -m host.steer fit --toward FILE --away FILE -o ARTEFACT`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from host.devices.emulator import EmulatorDevice
from host.emulator.machine import Machine
from host.runtime import Session
from host.text import Text
from models.artefact_file import save_artefact
from models.checkpoint import load_model
from models.command import CommandParser, run_command
from models.errors import OptionError, printable
from models.machine.build import CPU
from models.machine.descriptor import Opcode
from models.model_hash import model_hash
from models.output import check_output_file
from models.text_file import read_text_file

__all__ = ["ResidualRecorder", "chosen_layers", "difference_of_means", "main", "parser", "residuals", "spread"]

SKIPPED = 4  # first tokens of a window, whose residual is dominated by the start of text


class ResidualRecorder:
    """Keeps the residual stream after every layer of a run, in float units, as the emulator executes it."""

    def __init__(self, session: Session):
        config = session.model.config
        self._layers, self._hidden = config.layers, config.hidden_size
        self._unit = 2.0**-session.model.residual_fraction_bits
        self._session = session
        self._additions = 0
        self.rows: list[list[np.ndarray]] = [[] for _ in range(config.layers)]
        machine = session.device.machine  # type: ignore[attr-defined]
        machine.observer = self._observe

    def _observe(self, opcode: Opcode, fields: dict[str, int], machine: Machine) -> None:
        if opcode != Opcode.RESIDUAL:
            return
        layer, second = divmod(self._additions % (2 * self._layers), 2)
        self._additions += 1
        if second:
            rows = slice(fields["first_row"], fields["first_row"] + fields["rows"])
            self.rows[layer].append(machine.residual.reshape(-1, self._hidden)[rows] * self._unit)


def spread(ids: Sequence[int], tokens: int, window: int) -> Sequence[int]:
    """About `tokens` of the ids, in windows evenly spread over the text so that they stand for the whole of it."""
    if len(ids) <= tokens:
        return ids
    starts = np.linspace(0, len(ids) - window, max(1, tokens // window)).astype(int)
    return [token for start in starts for token in ids[start:start + window]]


def residuals(session: Session, ids: Sequence[int], *, description: str = "") -> np.ndarray:
    """Residual stream after each layer over windows of the context: float64 [layers, tokens, hidden]."""
    parts = []
    starts = range(0, len(ids), session.context)
    for start in tqdm(starts, description, unit="window", file=sys.stderr, disable=not sys.stderr.isatty()):
        recorder = ResidualRecorder(session)
        session.reset()
        session.feed(ids[start:start + session.context])
        parts.append(np.stack([np.concatenate(rows) for rows in recorder.rows])[:, SKIPPED:])
    return np.concatenate(parts, axis=1)


def difference_of_means(toward: np.ndarray, away: np.ndarray, layers: Sequence[int]) -> np.ndarray:
    """Vectors float [layers, hidden]: mean difference at `layers`, zero elsewhere.

    Scaled so that strength 1 adds the median norm of the residual stream, its ten largest channels
    (massive activations) left out, shared over the steered layers.
    """
    vectors = np.zeros(toward.shape[::2])
    for layer in layers:
        difference = toward[layer].mean(axis=0) - away[layer].mean(axis=0)
        both = np.concatenate([toward[layer], away[layer]])
        usual = np.argsort(np.abs(both).mean(axis=0))[:-10]
        norm = float(np.median(np.linalg.norm(both[:, usual], axis=1)))
        length = float(np.linalg.norm(difference))
        if length:
            vectors[layer] = difference / length * norm / len(layers)
    return vectors


def parser() -> CommandParser:
    """Its options."""
    parser = CommandParser("host.steer", description="Fit steering vectors.")
    commands = parser.add_subparsers(dest="command", required=True)
    fit = commands.add_parser("fit", help="fit a vector from two texts")
    fit.add_argument("--model", default="demo", metavar="DIR", help="a converted model's folder, or demo (default)")
    fit.add_argument("--method", default="difference-of-means", choices=["difference-of-means"])
    fit.add_argument("--toward", type=Path, required=True, metavar="FILE", help="text in the wanted manner")
    fit.add_argument("--away", type=Path, required=True, metavar="FILE", help="text in the other manner")
    fit.add_argument("--layers", metavar="1,2,3", help="layers to steer (default: the middle third)")
    fit.add_argument("--tokens", type=int, default=8192, help="tokens of each text to use (default: 8192)")
    fit.add_argument("-o", "--output", type=Path, required=True, metavar="ARTEFACT")
    fit.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    return parser


def chosen_layers(option: str | None, count: int) -> list[int]:
    """The layers that `--layers` names, or the default of a model of `count` layers."""
    if option is None:
        return list(range(count // 3, max(count // 3 + 1, 2 * count // 3)))
    try:
        layers = sorted({int(part) for part in option.split(",")})
    except ValueError:
        raise OptionError(f"--layers takes numbers separated by commas, got {option!r}") from None
    if layers[0] < 0 or layers[-1] >= count:
        raise OptionError(f"--layers must lie within 0 .. {count - 1}, got {option}")
    return layers


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    options = parser().parse_args(arguments)
    if options.tokens <= 2 * SKIPPED:
        raise OptionError(f"--tokens must be more than {2 * SKIPPED}, got {options.tokens}")
    check_output_file(options.output)
    model = load_model(options.model)
    layers = chosen_layers(options.layers, model.config.layers)
    session = Session(model, EmulatorDevice(CPU))
    text = Text(model.folder)
    sides = []
    for path in (options.toward, options.away):
        ids = spread(text.encode(read_text_file(path)), options.tokens, session.context)
        if len(ids) <= 2 * SKIPPED:
            raise OptionError(f"{path} is too short to fit a vector: {len(ids)} tokens")
        sides.append(residuals(session, ids, description=printable(path.name)))
    vectors = difference_of_means(*sides, layers)
    if not vectors.any():
        raise OptionError(f"{options.toward} and {options.away} do not differ at layers {layers}: there is no vector "
                          "from one to the other")
    save_artefact(options.output, "steering", options.method, ("residual",), {"vectors": vectors},
                  model=model_hash(model), fit={"toward": options.toward.name, "away": options.away.name,
                                                "tokens": options.tokens, "layers": layers})
    norms = [float(np.linalg.norm(vectors[layer])) for layer in layers]
    if options.json:
        print(json.dumps({"layers": layers, "norms": norms, "artefact": str(options.output)}))
    else:
        print(f"steering vector for layers {layers} written to {options.output}")


if __name__ == "__main__":
    run_command(main)
