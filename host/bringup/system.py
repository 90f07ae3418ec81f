"""What the board's Linux says of itself: versions, contiguous memory, processors, temperature, fan, power.

Everything is read under a root, which is / but in tests.
"""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from host.board.sensors import fans, power_sensor, temperatures
from host.bringup.check import Check, failed, passed, skipped

__all__ = ["SUPPORTED_PYNQ", "check_memory", "check_system"]

SUPPORTED_PYNQ = ("3.0", "3.1", "4.0")
_HOT, _BUSY = 85.0, 0.5  # degrees, above which DRAM refreshes twice as often; share of a processor's time
_SAMPLE_S = 0.2
_MIB = 2**20


def check_system(root: Path = Path("/")) -> Iterator[Check]:
    """A line for each, but for memory."""
    yield _image(root)
    yield _kernel(root)
    yield _pynq()
    yield _xrt(root)
    yield _governor(root)
    yield _busy(root)
    yield _temperature(root)
    yield _fan(root)
    yield _power(root)


def check_memory(root: Path, needed: int, held: int = 0) -> Check:
    """Contiguous memory, against the bytes that a model needs. held: what this process has of it already."""
    found = dict(re.findall(r"^(Cma\w+): +(\d+) kB", _text(root, "proc/meminfo"), re.MULTILINE))
    if "CmaTotal" not in found:
        return skipped("contiguous memory", "the kernel keeps none apart")
    total, free = int(found["CmaTotal"]) * 1024, int(found["CmaFree"]) * 1024 + held
    words = f"{free / _MIB:.0f} of {total / _MIB:.0f} MiB free, the model needs {needed / _MIB:.1f}"
    numbers = {"total": total, "free": free, "needed": needed}
    if needed <= free:
        return passed("contiguous memory", words, **numbers)
    if needed <= total:
        return failed("contiguous memory", words, "end the other programs that hold it, or restart the board",
                      **numbers)
    megabytes = -(-needed * 5 // 4 // _MIB // 100) * 100
    return failed("contiguous memory", words, f"put cma={megabytes}M on the kernel's command line (docs/board.md)",
                  **numbers)


def _image(root: Path) -> Check:
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)', _text(root, "etc/os-release"), re.MULTILINE)
    model = _text(root, "proc/device-tree/model").strip("\0\n")
    if not model:
        return skipped("image", f"{name[1] if name else 'unknown'}: not a board with a device tree")
    return passed("image", f"{name[1] if name else 'unknown'} on {model}")


def _kernel(root: Path) -> Check:
    found, options = f"{platform.release()} {platform.machine()}", _text(root, "proc/cmdline").strip()
    return passed("kernel", found, command_line=options)


def _pynq() -> Check:
    try:
        found = version("pynq")
    except PackageNotFoundError:
        return skipped("PYNQ", "not installed in this environment")
    if not found.startswith(SUPPORTED_PYNQ):
        return failed("PYNQ", found, f"known to work: {', '.join(SUPPORTED_PYNQ)}")
    return passed("PYNQ", found)


def _xrt(root: Path) -> Check:
    loaded = re.search(r"^zocl\b", _text(root, "proc/modules"), re.MULTILINE)
    found = _text(root, "sys/module/zocl/version").strip()
    if loaded or found:
        return passed("XRT", f"zocl {found or '(no version)'}")
    if not _text(root, "proc/device-tree/model"):
        return skipped("XRT", "not a board")
    return failed("XRT", "the kernel module zocl is not loaded",
                  "source /etc/profile.d/pynq_venv.sh as root: it inserts PYNQ's device tree overlay")


def _governor(root: Path) -> Check:
    found = {path.read_text().strip()
             for path in (root / "sys/devices/system/cpu").glob("cpu*/cpufreq/scaling_governor")}
    if not found:
        return skipped("CPU governor", "the kernel has none")
    if found == {"performance"}:
        return passed("CPU governor", "performance")
    return failed("CPU governor", ", ".join(sorted(found)),
                  "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor")


def _busy(root: Path) -> Check:
    before = _times(root)
    time.sleep(_SAMPLE_S)
    after = _times(root)
    shares = {cpu: busy / whole if (whole := after[cpu][1] - start[1]) else 0.0
              for cpu, start in before.items() if cpu in after for busy in (after[cpu][0] - start[0],)}
    words = ", ".join(f"{cpu} {share:.0%}" for cpu, share in shares.items())
    if not shares:
        return skipped("busy cores", "the kernel does not say")
    if max(shares.values()) > _BUSY:
        return failed("busy cores", words, "see with top what runs, and end it before measuring", shares=shares)
    return passed("busy cores", words, shares=shares)


def _times(root: Path) -> dict[str, tuple[int, int]]:
    """Of each processor, time in which it worked and time in all."""
    found = {}
    for line in re.findall(r"^(cpu\d+(?: \d+)+)", _text(root, "proc/stat"), re.MULTILINE):
        cpu, *numbers = line.split()
        times = [int(number) for number in numbers]
        found[cpu] = (sum(times) - sum(times[3:5]), sum(times))  # the fourth and fifth: idle, waiting for a disk
    return found


def _temperature(root: Path) -> Check:
    found = {sensor.name: value for sensor in temperatures(root) if (value := sensor.read()) is not None}
    if not found:
        return skipped("temperature", "no sensor")
    name, hottest = max(found.items(), key=lambda item: item[1])
    if hottest > _HOT:
        return failed("temperature", f"{hottest:.0f} °C ({name})", "see to the fan: above 85 °C the memory slows down",
                      sensors=found)
    return passed("temperature", f"{hottest:.0f} °C ({name})", sensors=found)


def _fan(root: Path) -> Check:
    found = [(sensor.name, value) for sensor in fans(root) if (value := sensor.read()) is not None]
    if not found:
        return skipped("fan", "none that is counted")
    name, turns = max(found, key=lambda item: item[1])
    if not turns:
        return failed("fan", f"{name} stands still", "see that it is connected and nothing holds it")
    return passed("fan", f"{name} {turns:.0f} turns a minute")


def _power(root: Path) -> Check:
    sensor = power_sensor(root)
    if sensor is None:
        return skipped("power", "no INA260: watts and joules a token are not told")
    watts = sensor.read()
    if watts is None:
        return failed("power", f"{sensor.name} does not answer", "load the kernel module ina2xx")
    return passed("power", f"{watts:.2f} W ({sensor.name})", watts=watts)


def _text(root: Path, path: str) -> str:
    try:
        return (root / path).read_text(errors="replace")
    except OSError:
        return ""
