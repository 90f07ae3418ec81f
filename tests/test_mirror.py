"""Each module has its test at the same place under tests/, or stands here with what tests it.

`hw/vector/rope.py` has `tests/hw/vector/test_rope.py`; `__main__.py` has `test_main.py`. An `__init__.py` counts where
it defines something.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from tests.test_imports import PACKAGES, ROOT

ELSEWHERE: tuple[tuple[str, str, str], ...] = (
    # folder, modules, the test that reaches them or, in words, why there is none
    ("models", "checkpoint_writer model", "models/test_checkpoint.py"),
    ("models", "command", "tritloom/test_interrupt.py"),
    ("models", "dequantise", "models/test_residual_scale.py"),
    ("models", "errors", "models/test_config.py"),
    ("models", "file_kind", "models/test_json_file.py"),
    ("models/containment", "child", "models/containment/test_process.py"),
    ("models/formats", "__init__ shards source", "models/formats/test_huggingface.py"),
    ("models/golden", "gated head head_quant residual rope tap ternary_matmul", "models/golden/test_units.py"),
    ("models/golden", "model", "host/devices/test_emulator.py"),
    ("models/train", "recipe", "models/train/test_loop.py"),
    ("models/train", "run score", "models/train/test_main.py"),
    ("models/train", "stages", "models/train/test_export.py"),
    ("models/vocabulary", "byte_level chat_files declared merges settled splitting tekken tokenizer_json "
     "tokenizer_program", "models/vocabulary/test_folder.py"),
    ("models/vocabulary", "chat_template panics parts template_program", "models/vocabulary/test_template_ends.py"),
    ("models/vocabulary", "gguf_ends gguf_fields model_proto pieces", "models/vocabulary/test_gguf.py"),

    ("hw", "axi_wrapper", "hw/boards/test_vivado_tcl.py"),
    ("hw", "core", "sim/test_rtl_device.py"),
    ("hw", "emit verilog", "hw/test_build.py"),
    ("hw/analytic", "__main__", "tritloom/test_installed.py"),
    ("hw/analytic", "prediction tables", "hw/analytic/test_explore.py"),
    ("hw/arith", "behavioural_product dsp48 fabric_product mult18 product_sum", "hw/arith/test_multiply_add.py"),
    ("hw/arith", "rounding scalar", "hw/arith/test_scale_round.py"),
    ("hw/arith", "scalar_operations", "hw/arith/test_scalar_unit.py"),
    ("hw/arith", "scalar_product", "hw/attention/test_score_scale.py"),
    ("hw/arith", "scalar_steps", "hw/vector/test_head_quant.py"),
    ("hw/attention", "weight_memory", "hw/attention/test_weighted_sum.py"),
    ("hw/boards", "attachment board device memory_rate technology", "hw/boards/test_registry.py"),
    ("hw/boards", "floorplan", "hw/place/test_seats.py"),
    *((f"hw/boards/{folder}", "board", "data alone: hw/boards/test_registry.py finds it by folder")
      for folder in ("arty_z7", "kv260", "rfsoc4x2", "sim_tiny", "ulx3s")),
    ("hw/description", "blocks page register_files", "hw/description/test_folder.py"),
    ("hw/description", "interfaces", "hw/boards/test_vivado_tcl.py"),
    ("hw/link", "executor memory_access milliseconds register_access request_buffers request_head",
     "hw/link/test_serial_link.py"),
    ("hw/memory", "axi", "hw/memory/test_read_master.py"),
    ("hw/memory", "ram_style", "hw/linear/test_weight_buffer.py"),
    ("hw/memory", "shapes", "hw/memory/test_system.py"),
    ("hw/place", "build_folder", "hw/place/test_bitstream.py"),
    ("hw/place", "options", "hw/test_report.py"),
    ("hw/sdram", "address_intake columns data_path job_choice pins read_port row_opener scheduler shapes upkeep "
     "write_port", "hw/sdram/test_memory.py"),
    ("hw/synthesis", "carry graph primitives", "hw/synthesis/test_levels.py"),
    ("hw/synthesis", "scripts", "hw/synthesis/test_yosys.py"),
    ("hw/synthesis", "units", "hw/synthesis/test_join.py"),
    ("hw/vector", "closed_loop", "hw/vector/test_residual.py"),
    ("hw/vector", "head_path", "hw/vector/test_engine.py"),
    ("hw/vector", "norm_control", "hw/vector/test_norm_quant.py"),
    ("hw/vector", "norm_path", "hw/vector/test_engine.py"),
    ("hw/vector", "row", "hw/vector/test_engine.py"),
    ("hw/vector", "turns", "hw/vector/test_engine.py"),

    ("host", "generate score scoring stage_options", "host/test_commands.py"),
    ("host", "model_option", "host/test_models.py"),
    ("host", "runtime", "host/devices/test_emulator.py"),
    ("host", "stopping", "host/compiler/test_stops.py"),
    ("host/bringup", "loaded running system", "host/test_doctor.py"),
    ("host/bringup", "short_program tokens units", "host/test_selftest.py"),
    ("host/compiler", "cuts turns", "host/compiler/test_stops.py"),
    ("host/compiler", "descriptor_list head layer pass_context streams_ahead", "host/compiler/test_schedule.py"),
    ("host/compiler", "program vocabulary", "host/compiler/test_shortlist_program.py"),
    ("host/compiler/rules", "cache listed_pass operation streams vector", "host/compiler/test_program_check.py"),
    ("host/board", "overlay", "host/board/test_device.py"),
    ("host/link", "client failures request", "host/link/test_session.py"),
    ("host/devices", "registry", "host/board/test_device.py"),
    ("host/emulator", "image kernels operations row_memory", "host/emulator/test_machine.py"),
    ("host/emulator", "linking native_buffers native_machine native_operation", "host/emulator/test_native_units.py"),
    ("host/emulator", "native_state", "host/emulator/test_library.py"),
    ("host/emulator", "streams", "host/compiler/test_shortlist_program.py"),
    ("host/engine", "request sequences", "host/engine/test_engine.py"),
    ("host/server", "api_error guard models running schema validation", "host/server/test_application.py"),
    ("host/server", "logprobs usage", "host/server/test_completions.py"),
    ("host/server", "metrics tally", "host/server/test_status.py"),
    ("host/server", "served", "host/server/test_chat.py"),
    ("host/pipeline", "decode_speed", "host/pipeline/sparsity/test_comparison.py"),
    ("host/pipeline", "fitting loading stage texts", "host/pipeline/test_methods.py"),
    ("host/pipeline", "host_steps observing", "host/compiler/test_stops.py"),
    ("host/pipeline", "mantissas", "host/pipeline/test_placement.py"),
    ("host/pipeline", "measuring", "host/pipeline/sparsity/test_cett.py"),
    ("host/pipeline", "sequence_stage", "host/pipeline/sparsity/test_core_infer.py"),
    ("host/pipeline/commands", "comparison comparison_json comparison_picture",
     "host/pipeline/sparsity/test_comparison.py"),
    ("host/pipeline/commands", "fit list_methods report show tensors", "host/pipeline/test_main.py"),
    ("host/pipeline/activation", "ash crrelu spark x_cos", "host/pipeline/activation/test_function.py"),
    ("host/pipeline/commands", "export", "host/pipeline/steering/test_vector.py"),
    ("host/pipeline/commands", "audit", "host/pipeline/audit/test_audit.py"),
    ("host/pipeline/commands", "steering steering_picture", "host/pipeline/steering_bench/test_comparison.py"),
    ("host/pipeline/normalisation", "rmsnorm", "host/pipeline/normalisation/test_norm.py"),
    ("host/pipeline/sparsity", "bounds gates", "host/pipeline/sparsity/test_chess.py"),
    ("host/pipeline/sparsity", "fitted_mask", "host/pipeline/sparsity/test_allocation.py"),
    ("host/pipeline/sparsity", "allocated_mask fixed_random hashed oracle random_per_token seeds",
     "host/pipeline/sparsity/test_controls.py"),
    ("host/pipeline/sparsity", "at_percent kept_gates layer_error", "host/pipeline/sparsity/test_comparison.py"),
    ("host/pipeline/sparsity", "teal", "host/pipeline/test_placement.py"),
    ("host/pipeline/sparsity", "top_k wina", "host/pipeline/sparsity/test_ranked_mask.py"),
    ("host/pipeline/sparsity", "zeros", "host/pipeline/sparsity/test_bits.py"),
    ("host/pipeline/steering", "hooked_network", "host/pipeline/steering/test_lin_eas.py"),
    ("host/pipeline/steering", "steering_stage", "host/pipeline/steering/test_added_vectors.py"),

    ("hw/soc", "serial_soc", "sim/soc/test_verilated_board.py"),
    ("sim/soc", "line_fault transport", "sim/soc/test_verilated_board.py"),
    ("sim", "ddr_parameters ddr_streams placements", "sim/test_memory_calibration.py"),
    ("sim", "edges", "sim/test_streams.py"),
    ("sim", "memory_counters", "sim/test_kv260_memory.py"),
    ("sim", "testbench", "sim/test_runner.py"),
    ("sim", "verilator_env", "sim/test_verilate.py"),
    ("sim/sdram", "bench", "hw/sdram/test_memory.py"),
    ("sim/bench", "check counts linears measure naming probe report workload", "sim/bench/test_main.py"),

    ("tritloom", "__main__ completion start", "tritloom/test_installed.py"),
    ("tritloom", "__init__", "tritloom/test_library.py"),
)
NO_CODE = re.compile(r'^\s*"""(?:[^"]|"(?!""))*"""|#.*', re.MULTILINE)  # docstrings and comments
LISTED = {f"{folder}/{name}.py": test for folder, names, test in ELSEWHERE for name in names.split()}


def defines(path: Path) -> bool:
    body = ast.parse(path.read_text("utf-8")).body
    return any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in body)


MODULES = [path.relative_to(ROOT).as_posix() for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))
           if path.name != "__init__.py" or defines(path)]


def mirrored(module: str) -> Path:
    path = Path(module)
    return ROOT / "tests" / path.with_name(f"test_{path.stem.strip('_')}.py")


@cache
def named_by(path: Path) -> frozenset[Path]:
    """The files of ours that a file imports or names: as a bench, a command or a program, here or beside it."""
    source = NO_CODE.sub("", path.read_text("utf-8"))
    names = set(re.findall(r"\b\w+(?:\.\w+)+", source))
    for package, listed in re.findall(r"\bfrom ([\w.]+) import (\([^)]*\)|.*)", source):
        names |= {package, *(f"{package}.{name}" for name in re.findall(r"\w+", listed))}
    places = [ROOT.joinpath(*name.split(".")) for name in names if name.partition(".")[0] in (*PACKAGES, "tests")]
    files = {file for place in places for file in (
        place.with_suffix(".py"), place / "__init__.py", place / "__main__.py", place.parent.with_suffix(".py"))}
    files |= {path.with_name(name) for name in re.findall(r"\b\w+\.py\b", source)}
    return frozenset(file for file in files if file.is_file() and file.is_relative_to(ROOT))


@cache
def reached(test: Path) -> frozenset[str]:
    """All modules that a test takes with it."""
    found, open_files = {test}, [test]
    while open_files:
        new = named_by(open_files.pop()) - found
        found |= new
        open_files += new
    return frozenset(path.relative_to(ROOT).as_posix() for path in found)


def test_each_module_has_its_test_or_stands_in_the_table():
    bare = [module for module in MODULES if module not in LISTED and not mirrored(module).exists()]
    assert not bare, "neither a test of their own nor a place in the table"


def test_the_table_shrinks_as_tests_come():
    tested = [module for module in LISTED if mirrored(module).exists()]
    assert not tested, "a test of their own and a place in the table"


def test_the_table_has_each_module_once_and_no_other():
    assert sum(len(names.split()) for _, names, _ in ELSEWHERE) == len(LISTED)
    assert not LISTED.keys() - set(MODULES)


def test_tests_reach_what_they_are_said_to_test():
    """The module of the same place, or those of the table."""
    tests = {module: ROOT / "tests" / where for module, where in LISTED.items() if where.endswith(".py")}
    tests |= {module: mirrored(module) for module in MODULES if mirrored(module).exists()}
    assert not [(module, test) for module, test in tests.items() if module not in reached(test)]
