"""Files that are no scenes end in one sentence and a hint."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.rasters import UTM, make_raster, noise

from geoseg.errors import SceneError
from geoseg.raster import open_raster as open_raster_module
from geoseg.raster.open_raster import gdal_path, make_read_error
from geoseg.raster.scene import Scene


def refusal(path: Path | str) -> SceneError:
    with pytest.raises(SceneError) as caught:
        Scene.open(path)
    assert caught.value.hint
    return caught.value


def test_a_missing_file_is_missing_and_its_neighbour_suggested(tmp_path: Path) -> None:
    make_raster(tmp_path / "town_west.tif", noise(1, 4, 4), **UTM)
    error = refusal(tmp_path / "town_wset.tif")
    assert "does not exist" in error.message
    assert error.hint == "did you mean town_west.tif?"


def test_a_missing_folder_is_missing(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "no" / "town.tif").message


def test_a_folder_is_no_raster(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path).message


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    """Opening it waits for a program that writes to it."""
    os.mkfifo(tmp_path / "town.tif")
    code = f"from geoseg import Scene; Scene.open({str(tmp_path / 'town.tif')!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "town.tif is a pipe, not a file" in done.stderr


def test_text_is_no_raster(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_text("dear diary")
    assert "is not a readable raster" in refusal(path).message


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.touch()
    assert "is empty" in refusal(path).message


def test_addresses_are_not_looked_for_on_disk() -> None:
    assert "cannot be opened" in refusal("/vsizip/nowhere.zip/a.tif").message


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("https://example.org/a.tif?v=1", "/vsicurl/https://example.org/a.tif?v=1"),
        ("http://localhost:8000/a.tif", "/vsicurl/http://localhost:8000/a.tif"),
        ("s3://bucket/folder/a.tif", "/vsis3/bucket/folder/a.tif"),
        ("gs://bucket/a.tif", "/vsigs/bucket/a.tif"),
        ("az://container/a.tif", "/vsiaz/container/a.tif"),
        ("zip://a.zip!a.tif", "zip://a.zip!a.tif"),
        ("/vsizip/a.zip/a.tif", "/vsizip/a.zip/a.tif"),
        ("folder/a.tif", "folder/a.tif"),
    ],
)
def test_what_lies_on_servers_is_read_through_gdals_file_systems(path: str, name: str) -> None:
    assert gdal_path(path) == name


SILENT_SERVER = """
import socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
callers = []
while True:
    callers.append(server.accept())
"""


@pytest.mark.timeout(60)
def test_a_server_that_says_nothing_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_raster_module, "HTTP_TIMEOUT_S", 1)
    with subprocess.Popen([sys.executable, "-c", SILENT_SERVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert "too slow" in refusal(f"http://127.0.0.1:{server.stdout.readline().strip()}/a.tif").message
        server.kill()


def test_what_breaks_off_on_the_way_is_no_damaged_file() -> None:
    assert "try again" in make_read_error("https://example.org/a.tif", "rows 1 to 5", OSError("lost")).hint
    assert "damaged" in make_read_error("a.tif", "rows 1 to 5", OSError("lost")).hint


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise(1, 8, 8).astype(np.complex64), **UTM)
    assert "complex" in refusal(path).message


def test_a_truncated_file_names_itself_and_the_window(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise(3, 300, 300), **UTM, compress="deflate")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with Scene.open(path) as scene, pytest.raises(SceneError) as caught:
        scene.read(scene.grid.window.pad(1))
    assert str(path) in caught.value.message
    assert "rows 0 to 299, columns 0 to 299" in caught.value.message
    assert "damaged" in caught.value.hint


def test_a_file_cut_within_its_head_is_no_raster(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise(3, 300, 300), **UTM)
    path.write_bytes(path.read_bytes()[:60])
    refusal(path)


def test_a_file_of_too_many_bands_is_refused(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("geoseg.raster.open_raster.MAX_BANDS", 2)
    path = make_raster(tmp_path / "a.tif", noise(3, 8, 8), **UTM)
    with pytest.raises(SceneError, match="has 3 bands, more than 2"):
        Scene.open(path)
