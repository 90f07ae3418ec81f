"""The compiled library as Python sees it: structures, choice of kernels, absence; AArch64 under a simulator."""

import ctypes
import re
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib.machinery import EXTENSION_SUFFIXES
from multiprocessing import get_context

import numpy as np
import pytest

from host.devices.emulator import EmulatorDevice
from host.emulator import library as native_library
from host.emulator import native_buffers, native_machine
from host.emulator.library import KERNELS, NUMPY, chosen_kernels
from host.emulator.machine import Machine
from host.emulator.native_machine import NativeMachine
from host.emulator.native_operation import TOP, TURN, Live, NativeOperation, operation_header
from host.emulator.native_state import MachineState, NativeScalar, state_header
from host.emulator.streams import COLUMN_TRITS, COLUMN_UNIT
from host.runtime import Session
from models.errors import DeviceError
from models.machine.build import CPU, SHORTLIST
from models.machine.descriptor import LoadTarget, NormSource, Opcode, StoreSource
from models.machine.registers import SEQUENCES
from models.synth import synthetic_model
from tests.families import FAMILIES
from tests.host.emulator.foreign import FOREIGN_PATHS, NATIVE, can_run_foreign, foreign_paths, move_to_foreign
from tests.host.emulator.native_units import UnitMachine

TEXT = "".join((NATIVE / name).read_text() for name in ("machine.h", "state.h", "operations.h", "numbers.h"))
HEADER = re.sub(r"/\*.*?\*/", "", TEXT, flags=re.S)
compiled = pytest.mark.skipif(not native_library.native_paths(), reason="no compiled library")
foreign = pytest.mark.skipif(not can_run_foreign(), reason="no compiler or simulator of AArch64")
TYPES = {"int64_t": ctypes.c_int64, "int32_t": ctypes.c_int32, "int16_t": ctypes.c_int16, "int8_t": ctypes.c_int8,
         "uint8_t": ctypes.c_uint8, "uint32_t": ctypes.c_uint32, "tap_channel": ctypes.c_uint8, "scalar": NativeScalar}


def members(name):
    """(name, ctypes type) of the members of a structure of the header."""
    body = re.search(rf"typedef struct \{{([^}}]*)\}} {name};", HEADER).group(1)
    for declaration in filter(str.strip, body.split(";")):
        kind, declarators = re.fullmatch(r"\s*(?:const )?(\w+) (.*)", declaration, re.S).groups()
        for declarator in declarators.split(","):
            pointer, member, size = re.fullmatch(r"\s*(\*?)(\w+)(?:\[(\w+)\])?\s*", declarator).groups()
            kind_of = TYPES[kind] * numbered(size)[size] if size else TYPES[kind]
            yield member, ctypes.POINTER(kind_of) if pointer else kind_of


def numbered(first):
    """Members of the header's enumeration that starts with `first`, with their values."""
    body = re.search(rf"enum \w* ?\{{\s*({first}\b[^}}]*)\}}", HEADER).group(1)
    value, found = 0, {}
    for item in filter(None, re.sub(r"\s", "", body).split(",")):
        member, _, given = item.partition("=")
        value = int(given) if given else value
        found[member] = value
        value += 1
    return found


@pytest.mark.parametrize(("name", "structure"), [("operation", NativeOperation), ("machine", MachineState),
                                                 ("scalar", NativeScalar)])
def test_structures_are_those_of_the_header(name, structure):
    assert list(members(name)) == list(structure._fields_)


def test_the_header_of_operations_is_the_generated_one():
    """If not: python -m scripts.write_operations."""
    assert (NATIVE / "operations.h").read_text() == operation_header()
    assert (NATIVE / "state.h").read_text() == state_header()


@compiled
def test_structures_have_the_sizes_of_the_library():
    sizes = (ctypes.c_int64 * 2)()
    native_library.library().tritloom_sizes(sizes)
    assert list(sizes) == [ctypes.sizeof(MachineState), ctypes.sizeof(NativeOperation)]


def test_numbers_are_those_of_the_header():
    assert numbered("STREAM") == {**{opcode.name: opcode for opcode in Opcode}, "TOP": TOP, "TURN": TURN}
    assert numbered("LOAD_RESIDUAL") == {f"LOAD_{target.name}": target for target in LoadTarget}
    assert numbered("NORM_RESIDUAL") == {f"NORM_{source.name}": source for source in NormSource}
    assert numbered("STORE_RESIDUAL") == {f"STORE_{source.name}": source for source in StoreSource}
    assert set(numbered("BAD_ADDRESS").values()) == set(native_machine._FAILURES)
    assert len(native_machine._constants()) == len(numbered("FLOOR"))
    assert numbered("TRITS")["BLOCK"] == native_buffers._BLOCK
    assert numbered("SEQUENCES") == {"SEQUENCES": SEQUENCES} and numbered("SHORTLIST") == {"SHORTLIST": SHORTLIST}
    assert numbered("ZEROS") == {"ZEROS": native_machine._ZEROS, "ACTIVATIONS": native_machine._ACTIVATIONS,
                                 "SATURATIONS": native_machine._SATURATIONS,
                                 "WEIGHT_BYTES": native_machine._WEIGHT_BYTES,
                                 "READ_BYTES": native_machine._READ_BYTES, "COUNTERS": native_buffers._COUNTERS}
    assert numbered("LIVE_ALL") == {f"LIVE_{live.name}": live for live in Live}
    assert numbered("TRITS")["BLOCK"] == COLUMN_UNIT and numbered("TRITS")["COLUMN_TRITS"] == COLUMN_TRITS
    assert numbered("TRITS")["GROUP"] == native_buffers._GROUP


@compiled
def test_every_compiled_path_can_be_chosen_and_auto_is_the_first():
    paths = list(native_library.native_paths())
    assert set(paths) <= set(KERNELS) and paths[-1] == "portable"
    assert [chosen_kernels(path) for path in paths] == paths
    assert chosen_kernels() == paths[0]


def test_kernels_that_do_not_exist_or_cannot_run_are_refused(monkeypatch):
    with pytest.raises(DeviceError, match="^unknown kernels 'sse9'; known: auto, avx512, .*, portable, numpy$"):
        chosen_kernels("sse9")
    monkeypatch.setattr(native_library, "native_paths", lambda: {"portable": 4})
    lacking = "^kernels neon cannot run: this processor lacks them; here: portable, numpy$"
    with pytest.raises(DeviceError, match=lacking):
        chosen_kernels("neon")


@pytest.fixture
def library_file(monkeypatch, tmp_path):
    """Look for the library in an empty folder; returns where it would be."""
    monkeypatch.setattr(native_library, "__file__", str(tmp_path / "library.py"))
    for function in (native_library.library, native_library.native_paths):
        function.cache_clear()
        monkeypatch.setattr(native_library, function.__name__, function)
    yield tmp_path / f"_native{EXTENSION_SUFFIXES[0]}"
    for function in (native_library.library, native_library.native_paths):
        function.cache_clear()


@pytest.mark.parametrize("damaged", [False, True])
def test_without_the_library_numpy_runs(library_file, damaged):
    if damaged:
        library_file.write_bytes(b"no library")
    missing = "^kernels portable cannot run: they were not compiled with this installation; here: numpy$"
    with pytest.raises(DeviceError, match=missing):
        chosen_kernels("portable")
    device = EmulatorDevice(CPU)
    device.allocate(4096)
    assert device.kernels == NUMPY and isinstance(device.machine, Machine)


@compiled
def test_a_bad_address_and_a_vector_never_loaded_stop_the_machine():
    """In a process of its own: what goes on instead may crash."""
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as child:
        try:
            found = child.submit(what_stops).result()
        except BrokenProcessPool:
            found = "a crash"
    assert found == ["an address lies outside the program's memory", *["a vector is used before it was loaded"] * 2]


def what_stops():
    unit = UnitMachine("portable", channels=8)
    unit.add(Opcode.LOAD, target=LoadTarget.GAIN, address=1 << 32, bytes=1 << 17)
    found = [unit.stopped()]
    unit.add(Opcode.NORM, count=8, rows=1, gained=1)
    found.append(unit.stopped())
    unit.add(Opcode.SELECT, rows=1, count=1, k=1)
    return [*found, unit.stopped()]


@foreign
@compiled
@pytest.mark.parametrize("path", FOREIGN_PATHS)
@pytest.mark.parametrize("name", list(FAMILIES))
def test_aarch64_equals_numpy(path, name):
    model = synthetic_model(FAMILIES[name], seed=1)
    ids = np.random.default_rng(0).integers(0, model.config.vocab_size, 21)
    expected = Session(model, EmulatorDevice(CPU, kernels=NUMPY)).score(ids)
    session = Session(model, EmulatorDevice(CPU, kernels="portable", threads=2))
    assert isinstance(session.device.machine, NativeMachine)
    move_to_foreign(session.device.machine, path)
    assert (session.score(ids) == expected).all()


@foreign
def test_dot_products_are_chosen_only_where_an_aarch64_processor_has_them():
    assert foreign_paths("cortex-a53")[-3:] == ["", "neon", "portable"]
    assert foreign_paths("max")[-3:] == ["neon-dot", "neon", "portable"]
