"""Plant a wrong bit in each unit of golden model, emulator and RTL, and wrong lines in the emulator's C, one at a time;
show which test sees it.

`python -m scripts.verify.plant_faults [--only golden|emulator|native|rtl] [--place TEXT ...] [--jobs N]`. Exit status 1
if a fault goes unseen.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from host.emulator.library import default_threads
from models.child_process import run_child
from models.command import CommandParser, run_command
from models.errors import OptionError
from scripts.verify.fault_plugin import SEEN_VARIABLE
from scripts.verify.native_faults import NATIVE_FAULTS, NativeFault, build_library
from sim.fault import FAULT_VARIABLE
from tests.host.emulator.native_units import PATHS

__all__ = ["FAULTS", "Fault", "main"]


class Fault(NamedTuple):
    """A unit and the test that must see its fault. place: module:function, or component:output port."""

    model: str
    place: str
    test: str


_GOLDEN = "tests/models/golden/"
_EMULATOR = "tests/host/devices/test_emulator.py"
_EMULATOR_UNITS = "tests/host/emulator/test_machine.py"  # a last bit here drowns in later rounding

FAULTS: tuple[Fault, ...] = (
    *(Fault("golden", f"models.golden.{place}", _GOLDEN + test) for place, test in (
        ("rounding:round_shift", "test_rounding.py"), ("scalar:mul", "test_scalar.py"),
        ("scalar:add", "test_scalar.py"), ("scalar:div", "test_scalar.py"), ("scalar:sqrt", "test_scalar.py"),
        ("scalar:from_int", "test_scalar.py"), ("scalar:scale_round", "test_scalar.py"),
        ("norm_quant:norm_quant", "test_norm_quant.py"), ("tap:tap", "test_units.py"),
        ("ternary_matmul:ternary_matmul", "test_units.py"),
        ("ternary_matmul:grouped_matmul", "test_units.py"), ("head:grouped_logits", "test_units.py"),
        ("head_norm:head_norm", "test_head_norm.py"), ("rope:rope", "test_units.py"),
        ("head_quant:head_quant", "test_units.py"), ("attention:exp2_negative", "test_attention.py"),
        ("attention:attention", "test_attention.py"), ("gated:sigmoid", "test_units.py"),
        ("gated:gated_product", "test_units.py"), ("residual:residual_add", "test_units.py"),
        ("residual:embed", "test_units.py"), ("head:logits", "test_units.py"), ("head:top_k", "test_units.py"),
        ("shortlist:shortlist", "test_shortlist.py"), ("interpolation:interpolate", "test_interpolation.py"),
        ("tanh:tanh", "test_tanh.py"), ("seednorm:seednorm", "test_seednorm.py"),
        ("activations:ash", "test_activations.py"), ("activations:crrelu", "test_activations.py"),
        ("activations:x_cos", "test_activations.py"), ("activations:multiplied", "test_activations.py"),
        ("activations:soft_threshold", "test_activations.py"))),
    *(Fault("emulator", f"host.emulator.machine:{unit}", _EMULATOR) for unit in (
        "norm_quant", "rope", "head_quant", "scale_round", "top_k")),
    *(Fault("emulator", f"host.emulator.machine:{unit}", _EMULATOR_UNITS) for unit in (
        "matmul", "attention_rows", "gated_product", "residual_add")),
    *(Fault("rtl", f"SerialLink:{port}", "tests/hw/link/test_serial_link.py") for port in (
        "axi__araddr", "axi__awaddr", "axi__wdata", "registers__wdata", "reset_core")),
    *(Fault("rtl", place, f"tests/hw/{test}.py") for place, test in (
        ("RoundShift:", "arith/test_round_shift"), ("ScaleRound:", "arith/test_scale_round"),
        ("ScalarUnit:", "arith/test_scalar_unit"), ("Tap:", "vector/test_tap"),
        ("WithSharedUnits:o_q__payload", "vector/test_norm_quant"),
        ("WithSharedUnits:o_scale__payload", "vector/test_norm_quant"),
        ("WithSharedUnits:o_products__payload", "vector/test_norm_gain"),
        ("WithSharedUnits:o_v__payload", "vector/test_norm_gain"),
        ("WithSharedUnits:o_squares__payload", "vector/test_norm_gain"),
        ("Rope:", "vector/test_rope"), ("WithSharedUnits:o__payload", "vector/test_head_quant"),
        ("GatedProduct:o__payload", "vector/test_gated"), ("Sigmoid:o__payload", "vector/test_gated"),
        ("WithSharedUnits:o_write__payload", "vector/test_residual"),
        ("WithSharedUnits:o_write__payload", "vector/test_kv_writer"),
        ("WithSharedUnits:o_write__payload", "vector/test_store"),
        ("LayerInputs:o_linear__payload", "vector/test_layer_inputs"),
        ("LayerInputs:o_head__payload", "vector/test_layer_inputs"),
        ("LayerInputs:o_step__payload", "vector/test_layer_inputs"), ("LayerInputs:zeros", "vector/test_layer_inputs"),
        ("VectorEngine:o_linear__payload", "vector/test_engine"),
        ("VectorEngine:o_write__payload", "vector/test_engine"), ("VectorEngine:unit", "vector/test_engine"),
        ("LinearEngine:sums_a__payload", "linear/test_engine"), ("HeadEngine:o_write__payload", "head/test_engine"),
        ("QueryKeyDot:dots", "attention/test_query_key_dot"),
        ("ScoreScale:o__payload", "attention/test_score_scale"),
        ("Exp2Negative:o__payload", "attention/test_exp2_negative"), ("Softmax:o__payload", "attention/test_softmax"),
        ("WeightedSum:", "attention/test_weighted_sum"), ("SlicedSum:sums", "attention/test_sliced_sum"),
        ("BeatSlices:o__payload", "attention/test_slices"), ("Products:o__payload", "arith/test_product"),
        ("Normaliser:", "attention/test_normaliser"),
        ("OutputMemory:o__payload", "attention/test_output_memory"),
        ("AttentionEngine:o__payload", "attention/test_engine"), ("ReadMaster:", "memory/test_read_master"),
        ("StreamFetcher:", "memory/test_stream_fetcher"), ("PortFifos:o__payload", "memory/test_port_fifos"),
        ("StreamRouter:o_weights__payload", "memory/test_stream_router"),
        ("StreamRouter:o_head__payload", "memory/test_stream_router"),
        ("WeightBuffer:o", "linear/test_weight_buffer"), ("MemorySystem:head__payload", "memory/test_system"),
        ("LinearEngine:sums_b__payload", "linear/test_engine"), ("LinearEngine:invalid_bytes", "linear/test_engine"),
        ("Loader:o_load__payload", "memory/test_loader"), ("Reader:o__payload", "memory/test_reader"),
        ("WriteMaster:axi__wdata", "memory/test_write_master"), ("MemorySystem:o_load__payload", "memory/test_system"),
        ("Registers:bus__rdata", "control/test_registers"), ("Semaphores:take__0__ready", "control/test_semaphores"),
        ("EngineQueue:command__payload", "control/test_engine_queue"),
        ("Base3Decoder:digits", "linear/test_base3_decoder"), ("LookupTable:entries", "linear/test_lookup_table"),
        ("LookupArray:sums", "linear/test_lookup_array"), ("TableFill:address", "linear/test_table_fill"),
        ("StepGearbox:o_steps__payload", "linear/test_step_gearbox"),
        ("StepGearbox:invalid_bytes", "linear/test_step_gearbox"), ("StepIssue:step", "linear/test_step_issue"),
        ("Accumulator:words__0", "linear/test_accumulator"), ("Accumulator:words__1", "linear/test_accumulator"),
        ("AccumulatorReader:o__payload", "linear/test_reader"), ("HeadDot:sums", "head/test_dot"),
        ("LogitScale:o__payload", "head/test_logit_scale"), ("TopK:o__payload", "head/test_top_k"),
        ("RowWalk:word", "head/test_row_walk"), ("RowSums:o__payload", "head/test_row_sums"),
        ("BeatPacker:o__payload", "head/test_beat_packer"), ("Rescale:o__payload", "vector/test_rescale"),
        ("WordTap:o__payload", "vector/test_word_tap"), ("BestList:smallest", "vector/test_best_list"),
        ("BestList:o__payload", "vector/test_best_list"), ("Select:o__payload", "vector/test_select"),
        ("ChannelMemories:residual__word", "vector/test_channel_memories"),
        ("LoadPieces:o__payload", "vector/test_load_pieces"),
        ("KVStage:beat", "vector/test_kv_stage"), ("KVStage:scales", "vector/test_kv_stage"),
        ("KVWalk:now", "vector/test_kv_walk"), ("KVWalk:read_beat", "vector/test_kv_walk"),
        ("QueryLoad:write", "attention/test_query_load"), ("QueryLoad:units", "attention/test_query_load"),
        ("Intake:keys", "attention/test_intake"), ("Intake:event", "attention/test_intake"),
        ("Intake:values", "attention/test_intake"), ("Intake:value_scale", "attention/test_intake"),
        ("KeyChunks:keys", "attention/test_key_chunks"), ("KeyChunks:key_scale", "attention/test_key_chunks"),
        ("Reciprocals:o__payload", "attention/test_reciprocals"),
        ("Reciprocals:o_exponent__payload", "attention/test_reciprocals"),
        ("BurstFormer:o__payload", "memory/test_burst_former"),
        ("StripeWalk:burst__payload", "memory/test_stripe_walk"),
        ("NormSource:o__payload", "vector/test_norm_source"), ("RowControl:row", "vector/test_row_control"),
        ("RowControl:unit", "vector/test_row_control"),
        ("WideReader:o__payload", "memory/test_wide_reader"), ("EventCounter:count", "stream/test_event_counter"),
        ("RegisterSlice:o__payload", "stream/test_register_slice"), ("Room:free", "stream/test_room"),
        ("DualPortMemory:a_word", "memory/test_ultra_ram"), ("DualPortMemory:b_word", "memory/test_ultra_ram"),
        ("Sequencer:queues__0__payload", "control/test_sequencer"), ("Sequencer:done", "control/test_sequencer"),
        ("FaultReport:report", "control/test_fault_report"), ("FaultCollector:fault", "memory/test_fault_collector"),
        ("WriteGuard:", "soc/test_write_guard"), ("CoreReset:cut", "soc/test_core_reset"),
        ("RunLights:error", "soc/test_run_lights"),
        ("Drain:quiet", "memory/test_drain"), ("ReadMaster:faulty", "memory/test_read_master"),
        ("WriteMaster:fault", "memory/test_write_master"), ("MemorySystem:fault", "memory/test_system"),
        ("RunControl:status", "control/test_run_control"), ("Watchdog:expired", "control/test_watchdog"))),
    *(Fault("rtl", f"SdramMemory:{port}", "tests/sim/sdram/test_foreign_axi.py") for port in (
        "axi__0__rdata", "axi__1__bresp", "pins__a", "pins__dq_o", "pins__dqm", "pins__we_n")),
)


def _run(test: str, planted: str, *options: str) -> tuple[bool, str]:
    """Whether an assertion of a test fails with the variable set to `planted`, and its last line.

    What ends without one, an error, a crash, a port that is not there, does not count.
    """
    with tempfile.TemporaryDirectory() as folder:
        seen = Path(folder) / "seen"
        environment = os.environ | {FAULT_VARIABLE: planted, SEEN_VARIABLE: str(seen)}
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", "-p",
                   "scripts.verify.fault_plugin", "--no-header", "--tb=line", test, *options]
        result = run_child(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = (result.stdout.strip() or result.stderr.strip() or "no word").splitlines()
        missing = [line for line in lines if "module top has no output" in line]
        return seen.exists(), (missing or [lines[0 if result.returncode < 0 else -1]])[0]


def _run_native(fault: NativeFault) -> tuple[bool, str]:
    """The same with a library compiled for the fault."""
    others = [f"{path}]" for path in PATHS if path != fault.path]  # as test ids end
    with tempfile.TemporaryDirectory() as folder:
        build_library(fault, Path(folder))
        return _run(fault.test, f"native:{folder}", "-k", f"not ({' or '.join(others)})")


def _planted(fault: Fault | NativeFault) -> tuple[bool, str]:
    """Whether its test sees a fault, and the test's last line."""
    return _run_native(fault) if isinstance(fault, NativeFault) else _run(fault.test, fault.place)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = CommandParser("scripts.verify.plant_faults",
                           description="Plant a wrong bit in each unit; every one must be seen by a test.")
    parser.add_argument("--only", choices=["golden", "emulator", "native", "rtl"],
                        help="units of one of the four")
    parser.add_argument("--place", nargs="+", default=[""], metavar="TEXT",
                        help="places that begin with one of these, as they are printed")
    parser.add_argument("--jobs", type=int, default=default_threads(), metavar="N",
                        help="tests at the same time (default: one for each processor)")
    options = parser.parse_args(arguments)
    native = [fault for fault in NATIVE_FAULTS if fault.path in PATHS]
    chosen = [fault for fault in (*FAULTS, *native)
              if options.only in (None, fault.model) and fault.place.startswith(tuple(options.place))]
    unseen = 0
    if options.jobs < 1:
        raise OptionError("--jobs must be at least 1")
    if not chosen:
        raise OptionError(f"no fault's place begins with {' or '.join(options.place)}")
    with ThreadPoolExecutor(options.jobs) as pool:
        results = tqdm(pool.map(_planted, chosen), total=len(chosen), unit="fault", file=sys.stderr)
        for fault, (seen, line) in zip(chosen, results, strict=True):
            unseen += not seen
            tqdm.write(f"{'seen  ' if seen else 'UNSEEN'}  {fault.model:8}  {fault.place:40}  {fault.test}  {line}",
                       file=sys.stdout)
    print(f"{len(chosen) - unseen} of {len(chosen)} faults seen")
    if len(native) < len(NATIVE_FAULTS):
        print(f"{len(NATIVE_FAULTS) - len(native)} faults of paths that cannot run here were left out")
    raise SystemExit(1 if unseen else 0)


if __name__ == "__main__":
    run_command(main)
