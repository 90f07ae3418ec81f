"""All planted faults, each with its test and the path that it is on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scripts.verify.native_faults import heads, products, vector
from scripts.verify.native_faults.fault import NativeFault

__all__ = ["NATIVE_FAULTS"]

_NORMS = re.compile("test_(norm|gated|wide_products|last_bit)")  # tests of test_native_norms.py
_TESTS = {"units": "test_native_units.py", "norms": "test_native_norms.py",
          "columns": "test_skipping.py::test_columns_of_zero_inputs_are_not_read",
          "grouped_products": "test_grouped.py::test_products",
          "longest_sums": "test_grouped.py::test_the_longest_sums", "grouped_logits": "test_grouped.py::test_logits",
          "norms_of_heads": "test_grouped.py::test_norms_of_heads",
          "sparse_row": "test_skipping.py::test_columns_serve_a_sparse_row_beside_dense_ones",
          "rows_of_up": "test_skipping.py::test_rows_of_up_with_a_gate_of_zero_are_not_read",
          "stop_the_machine": "test_library.py::test_a_bad_address_and_a_vector_never_loaded_stop_the_machine"}
_PATHS = {"path_avx2.c": "avx2", "columns_avx2.h": "avx2", "grouped_avx2.h": "avx2",
          "path_avx512.c": "avx512", "attend_avx512.h": "avx512", "lanes_avx512.h": "avx512", "silu_avx512.h": "avx512",
          "deal_avx512.h": "avx512", "columns_avx512.h": "avx512", "grouped_avx512.h": "avx512", "panels.h": "avx512",
          "panels_avx512.h": "avx512",
          "neon.h": "neon", "path_neon.c": "neon", "path_neon_dot.c": "neon-dot"}


def _faults() -> Iterator[NativeFault]:
    for (file, test), changes in (vector.FAULTS | heads.FAULTS | products.FAULTS).items():
        for found, wrong in changes:
            node = _TESTS.get(test, f"test_native_{'norms' if _NORMS.match(test) else 'units'}.py::{test}")
            yield NativeFault(file, found, wrong, f"tests/host/emulator/{node}", _PATHS.get(file, "portable"))


NATIVE_FAULTS = tuple(_faults())
