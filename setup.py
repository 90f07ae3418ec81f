"""Builds the emulator's kernels where there is a C compiler; everything else is in pyproject.toml.

They are compiled at -O3, or at the level that $TRITLOOM_KERNELS names: with -O1 that takes a third of the time, and the
kernels give the same bits, slower. With "none" there are none, and the wheel is for any machine.
"""

import os
import platform

from setuptools import Extension, setup

FOLDER = "host/emulator/native"
SOURCES = ["run.c", "path_avx512.c", "path_avx2.c", "path_neon_dot.c", "path_neon.c", "path_portable.c"]
HEADERS = ["machine.h", "operations.h", "numbers.h", "units.h", "vector.h", "heads.h", "head.h", "shortlist.h",
           "matmul.h", "columns.h", "columns_avx2.h", "columns_avx512.h", "live.h", "state.h", "stops.h",
           "neon.h", "grouped.h", "grouped_avx2.h", "grouped_avx512.h", "panels.h", "panels_avx512.h",
           "lanes_avx512.h", "attend_avx512.h", "silu_avx512.h", "deal_avx512.h"]
OPTIMISE = os.environ.get("TRITLOOM_KERNELS", "-O3")
OPENMP = [] if platform.system() == "Darwin" else ["-fopenmp"]  # Apple's compiler has none: one thread there

setup(ext_modules=[] if OPTIMISE == "none" else [
    Extension(
        "host.emulator._native",
        [f"{FOLDER}/{name}" for name in SOURCES],
        depends=[f"{FOLDER}/{name}" for name in HEADERS],
        extra_compile_args=[OPTIMISE, "-std=gnu11", "-fvisibility=hidden", *OPENMP],
        extra_link_args=OPENMP,
        libraries=["m"],
        optional=True,  # without a compiler the emulator runs in NumPy, with the same bits
    ),
])
