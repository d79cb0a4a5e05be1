"""Compiling: cached where possible, still possible where nothing can be written."""

import subprocess
import sys

import numba
import pytest

from geoseg._numba_jit import njit


def test_without_a_folder_for_the_cache_functions_are_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = numba.njit

    def read_only(*, nogil: bool, cache: bool = False):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return plain(nogil=nogil)

    with monkeypatch.context() as patch:
        patch.setattr(numba, "njit", read_only)
        successor = njit(lambda number: number + 1)
        successor.compile()
    assert successor(2) == 3


@njit
def double(number):
    return 2 * number


@njit
def double_and_add(number):
    return double(number) + 1


def test_a_function_calls_another_that_was_not_compiled_before():
    assert double_and_add(3) == 7
    assert double(3) == 6


def test_decorating_does_not_import_numba():
    code = "import sys; import geoseg.vector.tracing.connected_components; sys.exit('numba' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
