"""``geoseg submit``, at the size of real images; what it does in detail is tested with small ones."""

import io
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from helpers.models import bundle
from helpers.openmmlab import network, section
from helpers.submissions import NUMBERS, domain_of, good_members, png, small_set, zipped
from PIL import Image

from geoseg.data.datasets.loveda import LEGEND
from geoseg.evaluation.submission import check_loveda

SIDE = 1024


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A real network, small and untrained."""
    chosen = section("mobilenetv3_small_050", auxiliary=False, output_stride=16)
    made = network(chosen, classes=len(LEGEND))
    bands = ("red", "green", "blue")
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    return bundle(made, model=chosen, bands=bands, legend=LEGEND, mean=(5.0,) * 3, tile=512, halo=0).save(path)


@pytest.fixture
def data(tmp_path):
    """A folder with a Test.zip of four images of 1024 x 1024 pixels."""
    picture = np.random.default_rng(0).integers(0, 10, (SIDE, SIDE, 3), np.uint8)
    names = [f"Test/{domain_of(number)}/images_png/{number}.png" for number in NUMBERS]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "Test.zip").write_bytes(zipped((name, png(picture, compress_level=1)) for name in names))
    return tmp_path / "data"


def test_a_model_becomes_a_zip_that_the_check_accepts(geoseg, model, data, tmp_path):
    output = tmp_path / "submission.zip"
    call = ["submit", "loveda", "--model", model, "--data", data, "-o", output, "--device", "cpu", "--phase", "urban"]
    with small_set(SIDE):
        result = geoseg(*call)
        assert (result.exit_code, result.stdout) == (0, f"{output}\n"), result.stderr
        assert (
            f"Model: {model} (given)\neach image of 1024 x 1024 pixels is predicted in 512-pixel tiles" in result.stderr
        )
        assert "Checked: valid for LoveDA test (urban phase): 2 images, classes present: " in result.stderr
        checked = geoseg("submit", "--check", output)
        assert checked.exit_code == 0
        assert f"Checked: {checked.stdout}" in result.stderr
        assert geoseg(*call).exit_code == 1
        whole = geoseg(*call, "--whole", "--overwrite", "-q")
        assert (whole.exit_code, whole.stdout, whole.stderr) == (0, f"{output}\n", "")
    with zipfile.ZipFile(output) as archive:
        assert archive.namelist() == ["4193.png", "4194.png"]
        with Image.open(io.BytesIO(archive.read("4193.png"))) as mask:
            assert (mask.mode, mask.size) == ("L", (SIDE, SIDE))
            assert mask.getextrema()[1] <= 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "submission.zip"]


def test_a_whole_set_of_1796_images_is_valid(geoseg, tmp_path, monkeypatch):
    monkeypatch.setattr(check_loveda, "IMAGE_SIZE", 64)
    forest = png(np.full((64, 64), 5, np.uint8))
    (tmp_path / "full.zip").write_bytes(zipped((f"{number}.png", forest) for number in range(4191, 5987)))
    result = geoseg("submit", "loveda", "--check", tmp_path / "full.zip")
    assert result.stdout == "valid for LoveDA test: 1796 images, classes present: forest\n"
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_wrong_zip_is_a_sentence_a_hint_and_exit_code_1(geoseg, tmp_path):
    members = good_members(side=SIDE)
    seven = png(np.full((SIDE, SIDE), 7, np.uint8))
    (tmp_path / "wrong.zip").write_bytes(zipped([("4191.png", seven), ("4192.png", seven), *members[2:]]))
    with small_set(SIDE):
        result = geoseg("submit", "--check", tmp_path / "wrong.zip")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: not valid for LoveDA test: 4191.png contains the value 7, "
        "but class indices are 0 to 6 (and 1 more problem)\n"
        "Hint: write class indices without adding one: labels start at 1, submissions at 0\n"
    )


def test_a_phase_can_be_insisted_on(geoseg, tmp_path):
    (tmp_path / "urban.zip").write_bytes(zipped(good_members(NUMBERS[2:], side=SIDE)))
    with small_set(SIDE):
        assert geoseg("submit", "--check", tmp_path / "urban.zip").exit_code == 0
        result = geoseg("submit", "--check", tmp_path / "urban.zip", "--phase", "all")
    assert result.exit_code == 1
    assert "it lacks 2 of 4 images: 4191.png, 4192.png" in result.stderr


def test_a_file_that_is_not_there_is_a_sentence(geoseg, tmp_path):
    result = geoseg("submit", "--check", tmp_path / "no.zip")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: there is no file")


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["loveda"],
        ["loveda", "--data", "d"],
        ["loveda", "-o", "s.zip"],
        ["--data", "d", "-o", "s.zip"],
        ["isaid", "--data", "d", "-o", "s.zip"],
        ["loveda", "--data", "d", "-o", "s.zip", "--phase", "town"],
        ["--check", "s.zip", "-o", "t.zip"],
        ["--check", "s.zip", "--whole"],
    ],
)
def test_called_wrongly_it_is_exit_code_2(geoseg, wrong):
    assert geoseg("submit", *wrong).exit_code == 2


def test_checking_needs_no_torch():
    code = (
        "import sys; import geoseg.evaluation.submission.check_loveda; print({'torch', 'rasterio'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
