"""Compiling: cached where possible, still possible where nothing can be written."""

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
    assert successor(2) == 3
