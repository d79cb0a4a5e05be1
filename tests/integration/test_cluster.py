"""Predictions on Dask workers, which are real processes here: the same bytes, whatever happens to a worker."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from affine import Affine
from helpers.models import EXACT, pixels, threshold_bundle, write_scene
from helpers.predictions import files_in, saved_model, tall_scene
from helpers.rasters import damage

from geoseg.errors import ConfigError, OutputError, SceneError
from geoseg.inference import dask_cluster as module
from geoseg.inference.dask_cluster import open_cluster
from geoseg.inference.predict import predict
from geoseg.inference.predict_many import predict_many
from geoseg.raster.writers.memory import MemoryWriter

pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.allow_hosts(["127.0.0.1"]),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Dask's own sockets
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
HEIGHT = 1600
BLOCKS = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A scene of four slabs and a model."""
    folder = tmp_path_factory.mktemp("work")
    tall_scene(folder / "scene.tif", height=HEIGHT)
    saved_model(folder / "town.safetensors")
    return folder


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes."""
    with open_cluster("local:2") as cluster:
        yield cluster


def run(work, folder, scene="scene.tif", **options):
    folder.mkdir(exist_ok=True)
    shares = {"probabilities": folder / "shares.tif"}
    model = work / "town.safetensors"
    return predict(work / scene, folder / "mask.tif", model=model, **shares, **EXACT | options)


@pytest.fixture(scope="module")
def alone(work, tmp_path_factory):
    """What one process makes of it."""
    folder = tmp_path_factory.mktemp("alone")
    run(work, folder)
    return files_in(folder)


def pids(cluster):
    return set(cluster.client.run(os.getpid).values())


def test_workers_make_the_same_bytes_and_say_where(work, alone, cluster, tmp_path):
    prediction = run(work, tmp_path, cluster=cluster)
    assert files_in(tmp_path) == alone
    assert prediction.device.startswith("2 workers of tcp://127.0.0.1:")
    assert prediction.tiles >= HEIGHT // 48 * 2
    assert len(pids(cluster)) == 2
    assert os.getpid() not in pids(cluster)


def test_a_relative_path_is_right_on_workers_too(work, alone, cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(work)
    out = Path(os.path.relpath(tmp_path, work))
    predict("scene.tif", out / "mask.tif", model="town.safetensors", cluster=cluster, **EXACT)
    assert (tmp_path / "mask.tif").stat().st_size == len(alone["mask.tif"])


def test_a_worker_that_is_killed_costs_nothing_but_time(work, alone, cluster, tmp_path):
    (victim, *_), before = sorted(pids(cluster)), pids(cluster)
    folder, seen = tmp_path / ".mask.tif.part", []

    def kill_in_the_middle():
        end = time.monotonic() + 60
        while not list(folder.glob("mask-*.tif")) and time.monotonic() < end:
            time.sleep(0.005)
        seen.append(len(list(folder.glob("mask-*.tif"))))
        os.kill(victim, signal.SIGKILL)

    killer = threading.Thread(target=kill_in_the_middle)
    killer.start()
    run(work, tmp_path, cluster=cluster)
    killer.join()
    assert files_in(tmp_path) == alone
    assert victim in before
    assert 0 < seen[0] < 4, "it was in the middle"
    cluster.client.wait_for_workers(2, timeout=60)
    assert victim not in pids(cluster), "Dask has started another"


def wait_until_idle(cluster):
    """A worker ends the part it is at, even if nobody waits for it any more."""
    end = time.monotonic() + 60
    at_work = lambda dask_worker: len(dask_worker.state.all_running_tasks)  # noqa: E731  (workers cannot import tests)
    while any(cluster.client.run(at_work).values()) and time.monotonic() < end:
        time.sleep(0.1)


def test_what_workers_left_unfinished_goes_on_without_them(work, alone, cluster, tmp_path):
    advanced = []

    class Impatient:
        def __call__(self, *_, **__):
            return self

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        def advance(self, steps):
            advanced.append(steps)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(work, tmp_path, cluster=cluster, progress=Impatient())
    assert not (tmp_path / "mask.tif").exists()
    assert len(advanced) == 1
    wait_until_idle(cluster)
    assert list(tmp_path.glob(".mask.tif.part/mask-*.tif"))
    run(work, tmp_path, resume=True)
    assert files_in(tmp_path) == alone


def test_workers_see_that_a_model_has_changed(work, cluster, tmp_path):
    model = saved_model(tmp_path / "town.safetensors")
    masks = []
    for number in range(2):
        options = {"model": model, **EXACT}
        for name, more in (("shared", {"cluster": cluster}), ("single", {})):
            path = tmp_path / f"{name}{number}.tif"
            masks.append(predict(work / "scene.tif", path, **options, **more).path.read_bytes())
        saved_model(model, mean=(1.0,))
    assert masks[0] == masks[1] != masks[2] == masks[3]


def test_many_scenes_at_a_time_and_the_error_of_one_is_its_own(work, alone, cluster, tmp_path):
    scenes = []
    for name in "abc":
        values = pixels(600, 60, bands=1, seed=ord(name))
        scenes.append(write_scene(tmp_path / f"{name}.tif", values, **BLOCKS))
    damage(scenes[1], (5, 0))
    model = work / "town.safetensors"
    options = {"model": model, **EXACT}
    shared = list(predict_many(list(map(str, scenes)), tmp_path / "shared", cluster=cluster, **options))
    single = list(predict_many(list(map(str, scenes)), tmp_path / "single", **options))
    assert [outcome.scene for outcome in shared] == list(map(str, scenes))
    for here, there in zip(shared, single, strict=True):
        assert (here.error is None) == (there.error is None)
        assert type(here.error) is type(there.error)
    assert isinstance(shared[1].error, SceneError)
    assert shared[1].error.hint == single[1].error.hint
    assert "cannot be read at rows" in shared[1].error.message
    good = {name for name in files_in(tmp_path / "single") if name.startswith(("a", "c"))}
    assert len(good) == 4
    one, other = files_in(tmp_path / "shared"), files_in(tmp_path / "single")
    assert {name: one[name] for name in good} == {name: other[name] for name in good}


def test_damage_that_workers_skipped_is_told(work, cluster, tmp_path):
    path = damage(tall_scene(tmp_path / "scene.tif", height=1100, **BLOCKS), (5, 0), (15, 0))
    model, options = work / "town.safetensors", {**EXACT, "on_read_error": "skip"}
    shared = predict(path, tmp_path / "shared.tif", model=model, cluster=cluster, **options)
    single = predict(path, tmp_path / "single.tif", model=model, **options)
    assert (tmp_path / "shared.tif").read_bytes() == (tmp_path / "single.tif").read_bytes()
    assert shared.notes == single.notes
    assert shared.notes[-1].startswith("2 blocks could not be read and are nodata: rows 320 to 383")


def test_a_mosaic_is_predicted_by_workers(work, cluster, tmp_path):
    scenes = [
        str(tall_scene(tmp_path / f"{col}.tif", height=700, transform=Affine(0.3, 0, 4e5 + 0.3 * col, 0, -0.3, 58e5)))
        for col in (0, 60)
    ]
    for folder, more in (("shared", {"cluster": cluster}), ("single", {})):
        (tmp_path / folder).mkdir()
        model = work / "town.safetensors"
        predict(scenes, tmp_path / folder / "mask.tif", model=model, **EXACT, **more)
    assert files_in(tmp_path / "shared") == files_in(tmp_path / "single")


def test_polygons_limit_the_work_of_workers_too(work, cluster, tmp_path):
    import geopandas  # noqa: PLC0415
    from shapely import Polygon  # noqa: PLC0415

    corners = [(400_002, 5_799_990), (400_015, 5_799_990), (400_002, 5_799_500)]
    geopandas.GeoSeries([Polygon(corners)], crs="EPSG:32633").to_file(tmp_path / "triangle.gpkg")
    options = {"aoi": tmp_path / "triangle.gpkg"}
    run(work, tmp_path / "shared", cluster=cluster, **options)
    run(work, tmp_path / "single", **options)
    assert files_in(tmp_path / "shared") == files_in(tmp_path / "single")


def test_a_worker_does_not_write_into_what_was_begun_anew(work, cluster, tmp_path):
    from geoseg.grid.window import Window  # noqa: PLC0415
    from geoseg.inference.dask_cluster import _write_unless_restarted  # noqa: PLC0415
    from geoseg.legend import Legend  # noqa: PLC0415
    from geoseg.raster.output_bands import make_output  # noqa: PLC0415
    from geoseg.raster.writers.partial import PartialRasters  # noqa: PLC0415

    slabs = PartialRasters(tmp_path / "slabs", (600, 5), [make_output("mask", Legend.of({"a": None}))])
    slabs.create({"tile": 512})
    write = _write_unless_restarted(slabs)
    piece = {"mask": pixels(512, 5, bands=1)}
    write(Window(0, 0, 512, 5), piece)
    assert slabs.missing == [Window(512, 0, 88, 5)]
    slabs.create({"tile": 256})
    with pytest.raises(Exception, match="has been restarted"):
        write(Window(0, 0, 512, 5), piece)
    assert slabs.missing == [Window(0, 0, 600, 5)]


# What cannot work


def test_a_model_without_a_file_is_refused(work, cluster, tmp_path):
    with pytest.raises(ConfigError, match="not stored in a file"):
        predict(work / "scene.tif", tmp_path / "mask.tif", model=threshold_bundle(), cluster=cluster, **EXACT)
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_writes_files(work, cluster):
    with pytest.raises(ConfigError, match="only write to files"):
        predict(work / "scene.tif", MemoryWriter(), model=work / "town.safetensors", cluster=cluster, **EXACT)


def test_a_mask_that_is_there_is_refused_before_any_work(work, cluster, tmp_path):
    (tmp_path / "mask.tif").write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        run(work, tmp_path, cluster=cluster)


@pytest.mark.parametrize("address", ["local:", "local:0", "local:two", "local:-1", "local:1.5"])
def test_a_number_of_workers_that_makes_no_sense(address):
    with pytest.raises(ConfigError, match="invalid number of workers"), open_cluster(address):
        pass


@pytest.mark.timeout(60)
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense"])
def test_an_address_where_no_scheduler_answers_is_a_sentence(address, monkeypatch):
    assert module.CONNECT_TIMEOUT_S <= 20
    monkeypatch.setattr(module, "CONNECT_TIMEOUT_S", 1)
    begun = time.monotonic()
    with pytest.raises(ConfigError, match="no Dask scheduler responds at") as caught, open_cluster(address):
        pass
    assert "\n" not in caught.value.message
    assert "tcp://HOST:8786" in caught.value.hint
    assert time.monotonic() - begun < 20
