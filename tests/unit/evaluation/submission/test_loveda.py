"""A model's predictions become a zip that is valid, or nothing at all."""

import contextlib
import io
import re
import shutil
import tracemalloc
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.models import bundle
from helpers.submissions import DOMAINS, NUMBERS, SIDE, classes, domain_of, image, png, small_set, zipped
from PIL import Image
from torch import nn

from geoseg.data.datasets.loveda import IDS, LEGEND
from geoseg.errors import BundleError, ConfigError, DataError, GeosegError, OutputError
from geoseg.evaluation.submission import check_loveda as submission_check
from geoseg.evaluation.submission import loveda as submission
from geoseg.evaluation.submission.loveda import submit
from geoseg.legend import Legend
from geoseg.progress import NOTICE


class RedBand(nn.Module):
    """The class whose index the red band holds; remembers the shapes it gets to see, may fail at a later call."""

    def __init__(self, error=None, after=1):
        super().__init__()
        self.seen = []
        self.error = error
        self.after = after

    def forward(self, images):
        if self.error is not None and len(self.seen) >= self.after:
            raise self.error
        self.seen.append(tuple(images.shape))
        return -((images[:, :1] + 4 - torch.arange(7.0).reshape(1, 7, 1, 1)) ** 2)  # 4: the mean in the card


def red_bundle(network=None, **changes):
    card = {"bands": ("red", "green", "blue"), "legend": LEGEND, "tile": 8, "halo": 2} | changes
    return bundle(network or RedBand(), **card)


@pytest.fixture(autouse=True)
def few_small_images():
    with small_set():
        yield


def write_images(folder, side=SIDE, numbers=NUMBERS):
    for number in numbers:
        path = folder / "Test" / domain_of(number) / "images_png" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(image(number, side))
    return folder


@pytest.fixture
def data(tmp_path):
    """A folder as Test.zip unpacks."""
    return write_images(tmp_path / "data")


@pytest.fixture
def run(data, tmp_path):
    """Submits with a network that is always right."""

    def submitted(model=None, folder=data, **options):
        output = tmp_path / "submission.zip"
        checked = submit(model or red_bundle(), folder, output, **({"device": "cpu"} | options))
        return output, checked

    return submitted


def masks(path):
    with zipfile.ZipFile(path) as archive:
        return {name: np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in archive.namelist()}


def left_over(tmp_path):
    return sorted(path.name for path in tmp_path.iterdir() if path.name != "data")


def test_loveda_has_1796_test_images_976_of_them_rural():
    shape = {domain: (ids[0], ids[-1], len(ids)) for domain, ids in IDS["test"].items()}
    assert shape == {"rural": (4191, 5166, 976), "urban": (5167, 5986, 820)}


@pytest.mark.parametrize("phase", ["all", "urban", "rural"])
def test_the_zip_holds_class_indices_from_0_one_flat_grey_png_per_image(run, phase):
    output, checked = run(phase=phase)
    numbers = NUMBERS if phase == "all" else DOMAINS[phase]
    found = masks(output)
    assert list(found) == [f"{number}.png" for number in numbers]
    for number in numbers:
        mask = found[f"{number}.png"]
        assert (mask.dtype, mask.shape) == (np.uint8, (SIDE, SIDE))
        np.testing.assert_array_equal(mask, classes(number))
    assert (checked.phase, checked.images, checked.classes) == (phase, len(numbers), LEGEND.names)


def test_unpacked_members_can_be_read_by_everyone(run):
    with zipfile.ZipFile(run()[0]) as archive:
        assert {member.external_attr >> 16 for member in archive.infolist()} == {0o644}


def test_classes_are_matched_by_name(run):
    output, _ = run(red_bundle(legend=Legend.of(LEGEND.names[::-1])))
    for name, mask in masks(output).items():
        np.testing.assert_array_equal(mask, 6 - classes(int(name[:4])))


def as_archive(data, folder):
    folder.mkdir()
    content = [(path.relative_to(data).as_posix(), path.read_bytes()) for path in data.rglob("*.png")]
    (folder / "Test.zip").write_bytes(zipped(content, zipfile.ZIP_DEFLATED))


def as_inner_folder(data, folder):
    shutil.copytree(data / "Test", folder)


def as_openmmlab(data, folder):
    (folder / "img_dir" / "test").mkdir(parents=True)
    for path in data.rglob("*.png"):
        shutil.copy(path, folder / "img_dir" / "test")


@pytest.mark.parametrize("form", [as_archive, as_inner_folder, as_openmmlab])
def test_the_same_images_in_another_form_make_the_same_bytes(run, data, tmp_path, form):
    expected = run()[0].read_bytes()
    form(data, tmp_path / "other")
    assert run(folder=tmp_path / "other", overwrite=True)[0].read_bytes() == expected


def test_images_of_other_splits_and_labels_are_left_out(run, data):
    expected = run()[0].read_bytes()
    for place in ("Train/Rural/images_png/17.png", "Test/Rural/masks_png/4191.png", "old.zip"):
        (data / place).parent.mkdir(parents=True, exist_ok=True)
        (data / place).write_bytes(png(classes(3)) if place.endswith("png") else zipped([("4191.png", b"old")]))
    assert run(overwrite=True)[0].read_bytes() == expected


# How images are seen


def seen(run, caplog, **options):
    network = RedBand()
    with caplog.at_level(NOTICE, "geoseg"):
        run(red_bundle(network, **options.pop("card", {})), **options)
    return network.seen, [record.getMessage() for record in caplog.records if record.levelno >= NOTICE]


def test_images_are_seen_in_the_models_tiles(run, caplog):
    shapes, said = seen(run, caplog)
    assert {shape[2:] for shape in shapes} == {(8, 8)}
    assert sum(shape[0] for shape in shapes) == 4 * 16
    assert said == [
        "each image of 16 x 16 pixels is predicted in 8-pixel tiles with a 2-pixel halo, as stored in the model"
    ]


def test_images_are_seen_whole_when_asked_for(run, caplog):
    shapes, said = seen(run, caplog, whole=True)
    assert shapes == 4 * [(1, 3, SIDE, SIDE)]
    assert said == ["each image of 16 x 16 pixels is predicted as a whole"]


@pytest.mark.parametrize(("gsd", "warned"), [(0.05, True), (0.3, False), (0.299, False), (None, False)])
def test_a_model_of_another_gsd_is_warned_of(run, caplog, gsd, warned):
    _, said = seen(run, caplog, card={"gsd": gsd})
    assert any("the model was trained at 0.05 m, but LoveDA has a GSD of 0.3 m" in each for each in said) == warned


def test_progress_hears_of_every_image(run):
    heard = []

    @contextlib.contextmanager
    def progress(total, description):
        yield SimpleNamespace(advance=lambda note="": heard.append((description, note)))

    run(progress=progress)
    names = [f"{number}.png" for number in NUMBERS]
    assert [note for what, note in heard if what == "predicting LoveDA test"] == names
    assert [note for what, note in heard if what == "checking"] == names


# What is refused, and what is left then


def refused(error, run, tmp_path, *arguments, **options):
    with pytest.raises(error) as caught:
        run(*arguments, **options)
    assert left_over(tmp_path) == []
    return str(caught.value)


def test_a_model_that_lacks_classes_is_refused_by_their_names(run, tmp_path):
    network = RedBand()
    legend = Legend.of(["background", "building", "road", "Water", "barren", "forest", "tree"])
    message = refused(BundleError, run, tmp_path, red_bundle(network, legend=legend))
    assert message == "the model lacks classes of LoveDA: water, agricultural"
    assert network.seen == []


def test_a_model_that_knows_more_classes_is_refused_by_their_names(run, tmp_path):
    legend = Legend.of([*LEGEND.names, "snow"])
    message = refused(BundleError, run, tmp_path, red_bundle(legend=legend))
    assert message == "the model has classes that LoveDA does not: snow"


def test_missing_images_are_named_before_anything_is_predicted(run, data, tmp_path):
    network = RedBand()
    (data / "Test/Urban/images_png/4193.png").unlink()
    message = refused(DataError, run, tmp_path, red_bundle(network))
    assert "lacks 1 of 4 test images: 4193.png" in message
    assert network.seen == []
    run(phase="rural")


def test_a_folder_that_is_not_there_is_a_sentence(run, tmp_path):
    assert "there is no folder" in refused(DataError, run, tmp_path, folder=tmp_path / "nowhere")


def test_an_image_of_another_size_is_refused(run, data, tmp_path):
    (data / "Test/Urban/images_png/4194.png").write_bytes(image(4194, SIDE + 1))
    assert "4194.png has 17 x 17 pixels, not 16 x 16" in refused(DataError, run, tmp_path)


def test_a_pixel_without_data_is_refused(run, data, tmp_path):
    red = classes(4192)
    alpha = np.where(np.arange(SIDE) == 5, np.uint8(0), np.uint8(255)) * np.ones_like(red)
    (data / "Test/Rural/images_png/4192.png").write_bytes(png(np.stack([red, red, red, alpha], axis=-1)))
    assert re.match(r"16 pixels of \S*4192.png were not predicted", refused(DataError, run, tmp_path))


def test_a_damaged_image_is_refused(run, data, tmp_path):
    path = data / "Test/Rural/images_png/4192.png"
    path.write_bytes(path.read_bytes()[:-60])
    assert "4192.png" in refused(GeosegError, run, tmp_path)


@pytest.mark.parametrize(
    ("options", "error"),
    [({"phase": "urbn"}, ConfigError), ({"device": "gpu"}, ConfigError), ({"model": "no.safetensors"}, BundleError)],
)
def test_wrong_options_are_refused(run, tmp_path, options, error):
    refused(error, run, tmp_path, **options)


def test_what_the_check_finds_wrong_is_not_kept(run, tmp_path, monkeypatch):
    encode = submission._encode_png
    monkeypatch.setattr(submission, "_encode_png", lambda mask: encode(mask + np.uint8(1)))
    assert "4191.png contains the value 7" in refused(DataError, run, tmp_path)


def test_an_existing_zip_is_kept_unless_told_otherwise(run, tmp_path):
    (tmp_path / "submission.zip").write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        run()
    assert (tmp_path / "submission.zip").read_text() == "precious"
    run(overwrite=True)
    assert zipfile.is_zipfile(tmp_path / "submission.zip")


def test_the_images_are_never_replaced(data, tmp_path):
    as_archive(data, tmp_path / "packed")
    for folder, output in [("packed", "packed/Test.zip"), ("data", "data/Test/Rural/images_png/4191.png")]:
        content = (tmp_path / output).read_bytes()
        with pytest.raises(OutputError, match="would replace the images"):
            submit(red_bundle(), tmp_path / folder, tmp_path / output, device="cpu", overwrite=True)
        assert (tmp_path / output).read_bytes() == content


@pytest.mark.parametrize(
    ("raised", "caught"),
    [(KeyboardInterrupt(), KeyboardInterrupt), (torch.OutOfMemoryError("CUDA out of memory"), GeosegError)],
)
@pytest.mark.parametrize("after", [0, 3])
def test_stopping_midway_leaves_nothing_and_the_old_zip_as_it_was(run, tmp_path, raised, caught, after):
    model = red_bundle(RedBand(raised, after))
    with pytest.raises(caught):
        run(model, whole=True)
    assert left_over(tmp_path) == []
    (tmp_path / "submission.zip").write_text("old")
    with pytest.raises(caught):
        run(model, whole=True, overwrite=True)
    assert left_over(tmp_path) == ["submission.zip"]
    assert (tmp_path / "submission.zip").read_text() == "old"


def test_a_full_disk_is_a_sentence_and_leaves_nothing(run, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    assert "No space left on device" in refused(OutputError, run, tmp_path)


def test_memory_does_not_grow_with_the_number_of_images(data, tmp_path, monkeypatch):
    side, peaks = 128, {}
    with small_set(side):
        for count in (3, 24):
            numbers = range(10, 10 + count)
            monkeypatch.setitem(submission_check.PHASES, "all", numbers)
            folder = tmp_path / str(count) / "images_png"
            folder.mkdir(parents=True)
            for number in numbers:
                (folder / f"{number}.png").write_bytes(image(number, side))
            model, output = red_bundle(tile=64), tmp_path / f"{count}.zip"
            submit(model, folder.parent, output, device="cpu")
            tracemalloc.start()
            submit(model, folder.parent, output, device="cpu", overwrite=True)
            peaks[count] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    assert peaks[24] < 1.3 * peaks[3] + 50_000
