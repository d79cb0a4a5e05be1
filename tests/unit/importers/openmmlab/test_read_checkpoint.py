"""Tests of reading checkpoint files: both versions of mmsegmentation, unsafe and damaged files."""

import io
import os
import pickle
import sys
from collections import OrderedDict
from types import ModuleType
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import torch
from helpers.openmmlab import CLASSES, PALETTE, meta_0x, meta_1x

from geoseg.errors import BundleError
from geoseg.importers.openmmlab.read_checkpoint import read_checkpoint

STATE = OrderedDict({"module.decode_head.conv_seg.bias": torch.ones(3)})


def saved(folder, content):
    torch.save(content, folder / "a.pth")
    return folder / "a.pth"


@pytest.mark.parametrize("meta", [meta_0x(config="x = 1"), meta_1x(config="x = 1")], ids=["0.x", "1.x"])
def test_both_versions_have_equal_content(tmp_path, meta) -> None:
    file = read_checkpoint(saved(tmp_path, {"meta": meta, "state_dict": STATE}))
    assert list(file.state) == ["head.conv_seg.bias"]
    assert file.class_names == CLASSES
    assert file.palette == tuple(map(tuple, PALETTE))
    assert file.config == "x = 1"
    assert set(file.software.values()) <= {"0.20.0", "0.10.7"}
    assert file.software


@pytest.mark.parametrize("content", [STATE, {"state_dict": STATE}, {"state_dict": STATE, "meta": None}])
def test_file_without_metadata(tmp_path, content) -> None:
    file = read_checkpoint(saved(tmp_path, content))
    assert (file.class_names, file.palette, file.config, file.software) == ((), (), "", {})


@pytest.mark.parametrize("palette", ["random", None, [[0, 0, 0]] * 3, [[0, 0]], [[0, 0, 300]], [["a", 0, 0]], 7])
def test_incomplete_palette_is_ignored(tmp_path, palette) -> None:
    assert read_checkpoint(saved(tmp_path, {"meta": meta_1x(palette=palette), "state_dict": STATE})).palette == ()


@pytest.mark.parametrize("classes", [("a", "a"), (1, 2), "ab", None])
def test_invalid_class_names_are_ignored(tmp_path, classes) -> None:
    assert read_checkpoint(saved(tmp_path, {"meta": meta_0x(classes=classes), "state_dict": STATE})).class_names == ()


class Bomb:
    """Unpickling it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_code_in_a_file_is_refused_without_running_it(tmp_path) -> None:
    path = saved(tmp_path, {"state_dict": STATE, "message_hub": Bomb(tmp_path / "ran")})
    with pytest.raises(BundleError, match=r"contains more than weights \(\w+\.mkdir\)") as error:
        read_checkpoint(path)
    assert "\n" not in error.value.message
    assert "torch.save" in error.value.hint
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "builtins.getattr.x", "numpy.load", "torch.hub.load"])
def test_functions_are_refused_with_any_arguments(tmp_path, name) -> None:
    module, _, function = name.rpartition(".")
    pickled = f"c{module}\n{function}\n(S'touch ran'\ntR.".encode()
    buffer = io.BytesIO()
    torch.save({"state_dict": STATE, "message_hub": None}, buffer)
    with ZipFile(buffer) as archive, ZipFile(tmp_path / "a.pth", "w") as harmful:
        for entry in archive.namelist():
            harmful.writestr(entry, pickled if entry.endswith("data.pkl") else archive.read(entry))
    with pytest.raises(BundleError) as error:
        read_checkpoint(tmp_path / "a.pth")
    assert error.value.hint
    assert "\n" not in error.value.message


@pytest.fixture
def mmengine(monkeypatch):
    """A class that pickles as mmengine's log of losses does, with functions and numpy's numbers in it."""

    class HistoryBuffer:
        def __init__(self) -> None:
            self._log_history = np.arange(3.0)
            self._statistics_methods = {"mean": HistoryBuffer.mean}

        def mean(self) -> None: ...

    place = {"__module__": "mmengine.logging.history_buffer", "__qualname__": "HistoryBuffer"}
    for name, value in place.items():
        setattr(HistoryBuffer, name, value)
    HistoryBuffer.mean.__module__ = place["__module__"]
    HistoryBuffer.mean.__qualname__ = "HistoryBuffer.mean"
    module = ModuleType(place["__module__"])
    module.HistoryBuffer = HistoryBuffer
    for name in ("mmengine", "mmengine.logging"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, place["__module__"], module)
    return module


@pytest.mark.parametrize("zipped", [True, False])
def test_logs_and_optimizer_are_ignored(tmp_path, mmengine, monkeypatch, zipped) -> None:
    """As a run of 1.x leaves it; older tools write files that are no archives."""
    logs = {"log_scalars": OrderedDict(loss=mmengine.HistoryBuffer()), "runtime_info": {"best": np.float64(0.5)}}
    optimizer = {"state": {0: {"momentum_buffer": torch.ones(3)}}, "param_groups": [{"lr": 0.01, "params": [0]}]}
    meta = meta_1x() | {"hook_msgs": {"best_score": np.float64(0.5)}}
    content = {"meta": meta, "state_dict": STATE, "message_hub": logs, "optimizer": optimizer}
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    monkeypatch.delattr(mmengine, "HistoryBuffer")
    file = read_checkpoint(tmp_path / "a.pth")
    assert torch.equal(file.state["head.conv_seg.bias"], torch.ones(3))
    assert file.class_names == CLASSES


def test_numpy_palette_is_ignored(tmp_path) -> None:
    """0.x drew random colours with it; they are worth no code."""
    file = read_checkpoint(saved(tmp_path, {"meta": meta_0x(palette=np.zeros((3, 3), np.uint8)), "state_dict": STATE}))
    assert (file.class_names, file.palette) == (CLASSES, ())


def test_averages_and_preprocessor_are_ignored(tmp_path) -> None:
    beside = {"ema_decode_head_conv_seg_bias": torch.zeros(3), "module.data_preprocessor.mean": torch.zeros(3)}
    file = read_checkpoint(saved(tmp_path, {"state_dict": {**STATE, **beside}}))
    assert list(file.state) == ["head.conv_seg.bias"]


def damaged(folder):
    """(content, what is said of it) of files that are no checkpoints."""
    buffer = io.BytesIO()
    torch.save({"state_dict": STATE}, buffer)
    whole = buffer.getvalue()
    broken = "is not a PyTorch checkpoint, or it is corrupted"
    yield from ((whole[:cut], broken) for cut in (0, 3, 50, len(whole) // 2, len(whole) - 30))
    yield from ((text, broken) for text in (b"not a model\n" * 9, b"{}", b"\x80\x02", b"PK\x03\x04"))
    for content in ([1, 2], {}, {"state_dict": {}}, {"state_dict": 3}, {"a": 1}, torch.ones(3)):
        buffer = io.BytesIO()
        torch.save(content, buffer)
        yield buffer.getvalue(), "has no weights"
    yield pickle.dumps({"state_dict": [1]}), "is not a PyTorch checkpoint|has no weights"


def test_other_files_are_refused(tmp_path) -> None:
    for content, message in damaged(tmp_path):
        (tmp_path / "a.pth").write_bytes(content)
        with pytest.raises(BundleError, match=message) as error:
            read_checkpoint(tmp_path / "a.pth")
        assert "\n" not in error.value.message
        assert error.value.hint


def test_missing_checkpoint_is_named() -> None:
    with pytest.raises(BundleError, match=r"checkpoint not found: nowhere\.pth"):
        read_checkpoint("nowhere.pth")


UNSTORED = {
    "repeated": torch.zeros(1).expand(10**12),
    "sparse": torch.sparse_coo_tensor(
        torch.zeros(1, 1, dtype=torch.int64), torch.ones(1), (10**12,), check_invariants=True
    ),
    "meta": torch.empty(10**12, device="meta"),
}
"""Tensors of a terabyte in a few bytes."""


@pytest.mark.parametrize("kind", UNSTORED)
def test_tensor_without_all_its_values_in_the_file_is_refused(tmp_path, kind) -> None:
    path = saved(tmp_path, {"state_dict": {"decode_head.conv_seg.weight": UNSTORED[kind]}})
    with pytest.raises(BundleError) as error:
        read_checkpoint(path)
    assert str(path) in error.value.message
    if kind == "repeated":  # some versions of torch refuse the others
        assert "does not contain the values of 'decode_head.conv_seg.weight'" in error.value.message


def test_part_of_a_larger_tensor_is_accepted(tmp_path) -> None:
    part = torch.arange(6.0)[2:5]
    assert torch.equal(read_checkpoint(saved(tmp_path, {"a": part})).state["a"], part)


def test_compressed_file_is_refused_before_it_is_expanded(tmp_path) -> None:
    plain = saved(tmp_path, {"state_dict": {"a": torch.zeros(10**6)}})
    with ZipFile(plain) as source, ZipFile(tmp_path / "b.pth", "w", ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    assert (tmp_path / "b.pth").stat().st_size < 100_000
    with pytest.raises(BundleError, match=r"b\.pth is not a PyTorch checkpoint, or it is corrupted"):
        read_checkpoint(tmp_path / "b.pth")
