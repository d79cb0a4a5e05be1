"""Tests of the rank of a process, and of errors that several processes raise."""

from types import SimpleNamespace

import pytest
import torch.distributed as dist

from geoseg.errors import GeosegError
from geoseg.training import process_rank
from geoseg.training.process_rank import report_once


@pytest.mark.parametrize("message", ["Connection closed by peer [127.0.0.1]:1", "NCCL error: remote process exited"])
def test_lost_connection_to_another_process_is_an_error(monkeypatch, message):
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_rank", lambda: 0)
    with (
        pytest.raises(GeosegError, match="another process of the distributed training run has ended") as caught,
        report_once(),
    ):
        raise RuntimeError(message)
    assert "same command" in caught.value.hint


def test_other_errors_are_unchanged(monkeypatch):
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_rank", lambda: 0)
    with pytest.raises(RuntimeError, match="a fault"), report_once():
        raise RuntimeError("a fault")


@pytest.mark.parametrize(("rank", "waits"), [("0", []), ("1", [process_rank.OTHER_PROCESS_DELAY_SECONDS]), ("", [])])
def test_main_process_reports_a_common_error_first(monkeypatch, rank, waits):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    waited = []
    monkeypatch.setattr(process_rank, "time", SimpleNamespace(sleep=waited.append))
    with pytest.raises(GeosegError, match="same in all"), report_once():
        raise GeosegError("same in all")
    assert waited == waits


@pytest.mark.parametrize(("initialized", "rank", "expected"), [(True, 0, True), (True, 1, False), (False, 1, True)])
def test_main_process_has_rank_zero_or_no_process_group(monkeypatch, initialized, rank, expected):
    """A job of SLURM has variables for ranks also if each of its tasks trains a run alone."""
    monkeypatch.setenv("SLURM_PROCID", str(rank))
    monkeypatch.setattr(dist, "is_initialized", lambda: initialized)
    monkeypatch.setattr(dist, "get_rank", lambda: rank)
    assert process_rank.is_main_process() == expected
