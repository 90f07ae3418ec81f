"""What the kernel of a board shows in /proc and /sys, as files under a root of their own."""

from __future__ import annotations

from pathlib import Path

__all__ = ["put_sensor", "simulated_system"]


def put_sensor(root: Path, number: int, name: str, **files: int) -> None:
    """A chip of /sys/class/hwmon, with its files."""
    folder = root / f"sys/class/hwmon/hwmon{number}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "name").write_text(f"{name}\n")
    for file, value in files.items():
        (folder / file).write_text(f"{value}\n")


def simulated_system(root: Path, *, cma_total_kib: int = 1_000 * 1024, cma_free_kib: int = 900 * 1024,
                     governor: str = "performance") -> Path:
    """A KV260 with Ubuntu 22.04 at rest."""
    files = {
        "proc/meminfo": f"MemTotal: 4000000 kB\nCmaTotal: {cma_total_kib} kB\nCmaFree: {cma_free_kib} kB\n",
        "proc/stat": "cpu 0 0 0 0 0\ncpu0 100 0 100 1000 0 0 0 0\ncpu1 100 0 100 1000 0 0 0 0\n",
        "proc/modules": "zocl 200000 0 - Live 0x0\n",
        "proc/device-tree/model": "ZynqMP SMK-K26 Rev1/B/A\0",
        "proc/cmdline": "console=ttyPS1 cma=1000M\n",
        "etc/os-release": 'PRETTY_NAME="Ubuntu 22.04.4 LTS"\nVERSION_ID="22.04"\n',
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": f"{governor}\n",
        "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": f"{governor}\n",
        "sys/module/zocl/version": "2.13.0\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    put_sensor(root, 0, "ina260_u14", power1_input=4_830_000, in1_input=5_000)
    put_sensor(root, 1, "ams", temp1_input=51_000)
    put_sensor(root, 2, "pwmfan", fan1_input=2_100)
    return root
