"""Statistics are those of all valid pixels together, in however many pieces they come."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from strategies_raster import UTM, make_raster, noise

from geoseg.errors import SceneError
from geoseg.raster import statistics
from geoseg.raster.scene import Scene
from geoseg.raster.statistics import band_statistics


def test_they_are_those_of_numpy_over_valid_pixels_of_all_scenes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "CHUNK_PIXELS", 500)
    pixels = [noise(2, 60, 70, dtype=np.uint16, low=20_000, high=20_050), noise(2, 33, 44, dtype=np.uint16, low=1)]
    pixels[0][:, :9] = 0
    paths = [make_raster(tmp_path / f"{n}.tif", values, **UTM, nodata=0) for n, values in enumerate(pixels)]
    with Scene.open(paths[0]) as first, Scene.open(paths[1]) as second:
        found = band_statistics([first, second])
    everything = np.concatenate([pixels[0][:, 9:].reshape(2, -1), pixels[1].reshape(2, -1)], axis=1).astype(np.float64)
    for band, values in zip(found, everything, strict=True):
        assert (band.mean, band.std) == pytest.approx((values.mean(), values.std()), rel=1e-12)
        assert (band.minimum, band.maximum) == (values.min(), values.max())


def test_no_digits_are_lost_far_from_zero(tmp_path: Path) -> None:
    values = noise(1, 64, 64, dtype=np.float64, high=2) + 1e9
    with Scene.open(make_raster(tmp_path / "a.tif", values, **UTM)) as scene:
        assert band_statistics([scene])[0].std == pytest.approx(values.std(), rel=1e-9)


def test_bands_are_chosen_by_position_and_carry_their_names(tmp_path: Path) -> None:
    with Scene.open(make_raster(tmp_path / "a.tif", noise(3, 9, 9), **UTM, photometric="RGB")) as scene:
        assert [band.name for band in band_statistics([scene], [2, 0])] == ["blue", "red"]


def test_chunks_cover_a_scene_once_in_whole_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "CHUNK_PIXELS", 2048 * 64)
    path = make_raster(tmp_path / "a.tif", noise(1, 2100, 150), **UTM, tiled=True, blockxsize=32, blockysize=16)
    with Scene.open(path) as scene:
        seen = np.zeros(scene.grid.shape, int)
        for chunk in statistics.chunks(scene):
            assert (chunk.row % 16, chunk.col % 32) == (0, 0)
            seen[chunk.slices()] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("count", [0, 1])
def test_without_a_valid_pixel_there_are_none(tmp_path: Path, count: int) -> None:
    path = make_raster(tmp_path / "a.tif", np.zeros((1, 9, 9), np.uint8), **UTM, nodata=0)
    with Scene.open(path) as scene, pytest.raises(SceneError) as caught:
        band_statistics([scene] * count)
    assert caught.value.hint


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[int] = []

    class Task:
        def advance(self, steps: int = 1, _note: str = "") -> None:
            told.append(steps)

    @contextmanager
    def progress(total: int, description: str) -> Iterator[Task]:
        yield Task()
        assert sum(told) == total

    with Scene.open(make_raster(tmp_path / "a.tif", noise(1, 9, 9), **UTM)) as scene:
        band_statistics([scene], progress=progress)
    assert told
