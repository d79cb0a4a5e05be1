"""Predictions that were interrupted, whenever and by whatever, end as if nothing had happened."""

import contextlib
import os
import resource
from pathlib import Path

import pytest
import torch
from affine import Affine
from helpers.models import EXACT, Threshold, bundle, pixels, threshold_bundle, write_scene
from helpers.predictions import Interrupted, files_in, raising, tall_scene
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.bundle import Bundle
from geoseg.errors import GeosegError, OutputError, SceneError
from geoseg.inference.predict import predict
from geoseg.inference.predict_many import predict_many
from geoseg.progress import NOTICE
from geoseg.raster.writers import cog as geotiff

USUAL = {"tile": 32, "halo": 4, "batch": 4}
RESULTS = {"mask.tif", "mask.tif.aux.xml", "shares.tif"}
FOLDER = ".mask.tif.part"


def run(scene, folder, model=None, **options):
    """Predict a mask and probabilities into a folder."""
    model = threshold_bundle() if model is None else model
    options = {**EXACT, **USUAL, "probabilities": folder / "shares.tif"} | options
    return predict(scene, folder / "mask.tif", model=model, **options)


def failing(at, act):
    return bundle(Interrupted(at, act), bands=("red",), classes=2)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """One band of 1 500 x 60 pixels, of which the first third compresses well."""
    values = pixels(1500, 60, bands=1)
    values[:, :500] = 7
    return write_scene(tmp_path_factory.mktemp("scene") / "scene.tif", values, tiled=True, blockxsize=16, blockysize=16)


@pytest.fixture(scope="module")
def undisturbed(scene, tmp_path_factory):
    """The files of a run that nothing happened to, and how many batches and tiles it took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    model = threshold_bundle()
    prediction = run(scene, folder, model)
    found = files_in(folder)
    assert found.keys() == RESULTS
    return found, len(model.network.seen), prediction.tiles


@pytest.fixture
def interrupted(scene, tmp_path):
    """A folder in which a run was interrupted after its first slab."""
    with pytest.raises(KeyboardInterrupt):
        run(scene, tmp_path, failing(30, raising(KeyboardInterrupt())))
    assert {path.name for path in tmp_path.iterdir()} == {FOLDER}
    return tmp_path


@pytest.mark.parametrize(
    ("error", "caught"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (SceneError("the disk was pulled out"), SceneError),
        (torch.OutOfMemoryError("CUDA out of memory"), GeosegError),
        (ZeroDivisionError(), ZeroDivisionError),
    ],
)
def test_what_is_whole_stays_whatever_happened_and_resume_sees_only_the_rest(
    scene, undisturbed, tmp_path, error, caught
):
    with pytest.raises(caught):
        run(scene, tmp_path, failing(25, raising(error)))
    assert {path.name for path in tmp_path.iterdir()} == {FOLDER}
    kept = files_in(tmp_path / FOLDER)
    assert {name for name in kept if name.endswith(".tif")} == {"mask-000000000.tif", "probabilities-000000000.tif"}
    model = threshold_bundle()
    prediction = run(scene, tmp_path, model, resume=True)
    files, batches, tiles = undisturbed
    assert files_in(tmp_path) == files
    assert len(model.network.seen) < 0.8 * batches
    assert prediction.tiles < 0.8 * tiles


def test_any_number_of_interruptions_at_any_time_makes_no_difference(scene, undisturbed, tmp_path_factory):
    files, batches, _ = undisturbed

    @settings(max_examples=4)
    @given(st.lists(st.integers(1, batches), min_size=1, max_size=4))
    def law(moments):
        folder = tmp_path_factory.mktemp("law")
        for moment in moments:
            with contextlib.suppress(KeyboardInterrupt):
                run(scene, folder, failing(moment, raising(KeyboardInterrupt())), resume=True)
                break
            assert not RESULTS & {path.name for path in folder.iterdir()}
        else:
            run(scene, folder, resume=True)
        assert files_in(folder) == files

    law()


def test_before_the_first_slab_nothing_is_left_and_nothing_to_go_on_with(scene, undisturbed, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(scene, tmp_path, failing(3, raising(KeyboardInterrupt())))
    assert list(tmp_path.iterdir()) == []
    assert run(scene, tmp_path, resume=True).tiles == undisturbed[2]
    assert files_in(tmp_path) == undisturbed[0]


def test_one_is_told_how_far_it_was(scene, tmp_path, caplog):
    with caplog.at_level(NOTICE, "geoseg"):
        with pytest.raises(KeyboardInterrupt):
            run(scene, tmp_path, failing(25, raising(KeyboardInterrupt())))
        assert caplog.messages[-1] == f"1 of 3 parts are done in {tmp_path / FOLDER}; use --resume to continue"
        run(scene, tmp_path, resume=True)
    assert caplog.messages[-1] == "Resuming: 1 of 3 parts are done"


def test_what_is_unfinished_is_not_touched_without_being_told(scene, interrupted):
    before = files_in(interrupted)
    with pytest.raises(OutputError, match="1 of 3 parts are done") as caught:
        run(scene, interrupted)
    assert "--resume" in caught.value.hint
    assert "--overwrite" in caught.value.hint
    assert files_in(interrupted) == before


def test_overwrite_begins_anew(scene, undisturbed, interrupted):
    model = threshold_bundle()
    run(scene, interrupted, model, overwrite=True)
    assert files_in(interrupted) == undisturbed[0]
    assert len(model.network.seen) == undisturbed[1]


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"tile": 48}, "tile 32, not 48"),
        ({"halo": 2}, "halo 4, not 2"),
        ({"batch": 2}, "batch 4, not 2"),
        ({"blend": "crop"}, "blend weighted, not crop"),
        ({"tta": "flip"}, "tta none, not flip"),
        ({"bands": "1"}, "bands None, not 1"),
        ({"on_read_error": "skip"}, "on_read_error stop, not skip"),
        ({"probabilities": None}, "products"),
        ({"bbox": (400_000, 5_799_600, 400_009, 5_800_000)}, "bbox None, not"),
    ],
)
def test_other_settings_are_refused_by_name_and_nothing_is_lost(scene, undisturbed, interrupted, changed, word):
    before = files_in(interrupted)
    with pytest.raises(OutputError, match=word) as caught:
        run(scene, interrupted, resume=True, **changed)
    assert "--overwrite" in caught.value.hint
    assert files_in(interrupted) == before
    run(scene, interrupted, resume=True)
    assert files_in(interrupted) == undisturbed[0]


def test_another_model_is_refused(scene, tmp_path):
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for number, file in enumerate(files):
        file.write_bytes(b"weights %d" % number)
    made = failing(25, raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        run(scene, tmp_path, Bundle(made.network, made.card, str(files[0])))
    with pytest.raises(OutputError, match="was made with model"):
        run(scene, tmp_path, Bundle(Threshold(), made.card, str(files[1])), resume=True)


def test_a_scene_that_has_changed_is_refused(tmp_path):
    scene = tall_scene(tmp_path / "scene.tif")
    with pytest.raises(KeyboardInterrupt):
        run(scene, tmp_path, failing(25, raising(KeyboardInterrupt())))
    tall_scene(scene)
    with pytest.raises(OutputError, match="was made with scene of"):
        run(scene, tmp_path, resume=True)


def test_a_scene_that_vanishes_midway_is_a_sentence_and_when_it_is_back_all_goes_on(scene, undisturbed, tmp_path):
    path, copy = tmp_path / "in" / "scene.tif", tmp_path / "out"
    path.parent.mkdir()
    copy.mkdir()
    content, changed = scene.read_bytes(), scene.stat().st_mtime_ns
    path.write_bytes(content)
    os.utime(path, ns=(changed, changed))
    with pytest.raises(SceneError, match="cannot be read at rows"):
        run(path, copy, failing(25, lambda: os.truncate(path, 100)))
    assert {file.name for file in copy.iterdir()} == {FOLDER}
    path.write_bytes(content)
    os.utime(path, ns=(changed, changed))
    run(path, copy, resume=True)
    assert files_in(copy) == undisturbed[0]


# The end


@pytest.mark.parametrize("at", range(4))
def test_a_run_that_ends_while_it_names_its_results_ends_well_when_resumed(
    scene, undisturbed, tmp_path, monkeypatch, at
):
    moves, put = [], geotiff._move

    def interrupted(made, target):
        if len(moves) == at // 2:
            if at % 2:
                put(made, target)
            raise KeyboardInterrupt
        moves.append(target)
        put(made, target)

    with monkeypatch.context() as patch:
        patch.setattr(geotiff, "_move", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(scene, tmp_path)
    run(scene, tmp_path, resume=True)
    assert files_in(tmp_path) == undisturbed[0]


def test_an_old_mask_stays_until_the_new_one_is_whole(scene, undisturbed, tmp_path):
    (tmp_path / "mask.tif").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        run(scene, tmp_path, failing(25, raising(KeyboardInterrupt())), overwrite=True)
    assert (tmp_path / "mask.tif").read_text() == "old"
    run(scene, tmp_path, resume=True)
    assert files_in(tmp_path) == undisturbed[0]


def test_resume_replaces_no_mask_if_there_is_nothing_to_go_on_with(scene, tmp_path):
    (tmp_path / "mask.tif").write_text("precious")
    (tmp_path / FOLDER).mkdir()
    for name in ("", "settings.json", "mask-000000000.tif"):
        if name:
            (tmp_path / FOLDER / name).write_text("{}")
        with pytest.raises(OutputError, match="exists already"):
            run(scene, tmp_path, resume=True)
        assert (tmp_path / "mask.tif").read_text() == "precious"
        (tmp_path / FOLDER).mkdir(exist_ok=True)


# A full disk


@contextlib.contextmanager
def largest_file(size):
    """Files cannot grow beyond ``size``; Python has such signals ignored, so that writing fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_costs_nothing_that_was_whole(scene, undisturbed, tmp_path_factory):
    files, _, _ = undisturbed
    largest = max(map(len, files.values()))
    outcomes = set()

    @settings(max_examples=5)
    @given(st.integers(600, largest + 2000))
    def law(limit):
        folder = tmp_path_factory.mktemp("full")
        message = None
        with largest_file(limit):
            try:
                run(scene, folder)
            except OutputError as error:
                message = error.message
        if message is not None:
            assert "cannot be written" in message
            assert not RESULTS & {path.name for path in folder.iterdir()}
            outcomes.add("some" if (folder / FOLDER).exists() else "none")
            assert all(path.name == FOLDER for path in folder.iterdir())
            run(scene, folder, resume=True)
        assert files_in(folder) == files

    law()
    assert "some" in outcomes


# Many scenes


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes")
    places = [{}, {"transform": Affine(0.3, 0, 400_018, 0, -0.3, 5_800_000)}]
    return [
        str(write_scene(folder / f"{name}.tif", pixels(1100, 60, bands=1, seed=seed), **place))
        for seed, (name, place) in enumerate(zip("ab", places, strict=True))
    ]


def test_of_many_scenes_those_that_are_done_are_left_and_the_others_go_on(scenes, tmp_path):
    for _ in predict_many(scenes, tmp_path / "right", model=threshold_bundle(), **EXACT, **USUAL):
        pass
    model = failing(61, raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        for _ in predict_many(scenes, tmp_path / "masks", model=model, **EXACT, **USUAL):
            pass
    found = {path.name for path in (tmp_path / "masks").iterdir()}
    assert found == {"a_mask.tif", "a_mask.tif.aux.xml", ".b_mask.tif.part"}
    model = threshold_bundle()
    first, second = predict_many(scenes, tmp_path / "masks", model=model, resume=True, **EXACT, **USUAL)
    assert (first.prediction, first.error) == (None, None)
    assert second.prediction.tiles < 100
    assert files_in(tmp_path / "masks") == files_in(tmp_path / "right")


def test_an_old_mask_is_not_taken_for_one_that_is_done_if_its_successor_is_unfinished(scenes, tmp_path):
    (tmp_path / "a_mask.tif").write_text("old")
    model = failing(25, raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        next(predict_many(scenes[:1], tmp_path, model=model, overwrite=True, **EXACT, **USUAL))
    (outcome,) = predict_many(scenes[:1], tmp_path, model=threshold_bundle(), resume=True, **EXACT, **USUAL)
    assert outcome.error is None
    assert (tmp_path / "a_mask.tif").read_bytes()[:2] == b"II"


def test_a_mosaic_goes_on_too_unless_one_of_its_scenes_has_changed(scenes, tmp_path):
    def mosaic(folder, model=None, **options):
        folder.mkdir(exist_ok=True)
        model = threshold_bundle() if model is None else model
        return predict(scenes, folder / "mask.tif", model=model, **EXACT, **USUAL, **options)

    whole = mosaic(tmp_path / "right")
    with pytest.raises(KeyboardInterrupt):
        mosaic(tmp_path / "mask", failing(45, raising(KeyboardInterrupt())))
    changed = Path(scenes[1]).stat().st_mtime_ns
    os.utime(scenes[1])
    with pytest.raises(OutputError, match="scene of"):
        mosaic(tmp_path / "mask", resume=True)
    os.utime(scenes[1], ns=(changed, changed))
    assert mosaic(tmp_path / "mask", resume=True).tiles < whole.tiles
    assert files_in(tmp_path / "mask") == files_in(tmp_path / "right")
