"""A report is one file that needs nothing else, and says of every number by which protocol it was counted."""

import json
import re
import shutil
import subprocess
import tomllib
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import rasterio
from helpers.rasters import UTM, make_raster, noise
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geoseg.errors import OutputError
from geoseg.evaluation.options import EvaluationOptions
from geoseg.evaluation.report.render import Bar, environment, render_page
from geoseg.evaluation.report.run_data import RunData, collect_masks
from geoseg.evaluation.report.write_report import check_report, report_paths, write_report
from geoseg.legend import Legend
from geoseg.plotting.images import OTHER_MARKS

LEGEND = Legend.of({"field": "#00ff00", "<town>": "#ff0000", "clutter": "#0000ff"})
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def write_mask(path, values):
    make_raster(path, np.asarray(values, np.uint8)[None], **UTM, nodata=255)
    with rasterio.open(path, "r+") as file:
        file.update_tags(GEOSEG_CLASSES=LEGEND.to_json())


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """Three scenes, each wrong in one of its quarters more than in the others."""
    folder = tmp_path_factory.mktemp("town")
    for kind in ("images", "masks", "right"):
        (folder / kind).mkdir()
    for n, name in enumerate("abc"):
        right = (noise(4, 4, high=3) + n).repeat(150, 0).repeat(150, 1) % 3
        wrong = right.copy()
        wrong[: 100 * (n + 1), :256] = 2
        right[-40:] = 255
        write_mask(folder / "right" / f"{name}.tif", right)
        write_mask(folder / "masks" / f"{name}.tif", wrong)
        make_raster(folder / "images" / f"{name}.tif", noise(3, 600, 600), **UTM)
    return collect_masks(
        str(folder / "masks"), str(folder / "right"),
        EvaluationOptions(boundary_m=1, objects=["<town>"], protocols=["isprs-eroded-5"]), scene=str(folder / "images"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def page(reported, tmp_path_factory):
    curves = {"loss": [(0, 2.0), (10, 1.0)], "mean_iou": [(10, 0.4)]}
    other = RunData(**{**vars(reported), "curves": curves, "recipe": "data:\n  root: <here>"})
    return write_report([reported, other], tmp_path_factory.mktemp("report") / "town.html")


class Checked(HTMLParser):
    """Notes elements that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong = [], []

    def handle_starttag(self, name, _attributes):
        if name not in {"img", "meta"}:
            self.open.append(name)

    def handle_endtag(self, name):
        if not self.open or self.open.pop() != name:
            self.wrong.append(name)


def test_the_page_is_well_formed_and_what_users_wrote_is_text(page):
    text, checked = page.read_text("utf-8"), Checked()
    checked.feed(text)
    assert (checked.open, checked.wrong) == ([], [])
    assert "<town>" not in text
    assert "&lt;town&gt;" in text


def test_the_page_fetches_nothing(page):
    text = page.read_text("utf-8")
    sources = re.findall(r"""(?:src|href)=["']([^"'#][^"']*)""", text)
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    assert not re.findall(r"https?://|@import|url\(", text)


def test_style_and_script_are_installed_with_the_package():
    pyproject = Path(__file__).parents[4] / "pyproject.toml"
    if not pyproject.exists():
        pytest.skip("needs the repository, not the wheel alone")
    listed = tomllib.loads(pyproject.read_text())["tool"]["setuptools"]["package-data"]["geoseg.evaluation.report"]
    there = {
        Path(file.name).suffix for file in files("geoseg.evaluation.report").iterdir() if not file.name.endswith(".py")
    }
    assert {f"*{suffix}" for suffix in there if suffix} | {"templates/*.j2"} == set(listed)


def test_the_protocol_stands_beside_the_numbers_in_all_three_files(page):
    for path in report_paths(page):
        assert "isprs-eroded-5" in path.read_text("utf-8")
    assert json.loads(page.with_suffix(".json").read_text())["runs"][0]["protocol"].startswith("isprs-eroded-5: ")


def test_runs_of_one_name_are_told_apart_and_stand_beside_each_other(page):
    runs = json.loads(page.with_suffix(".json").read_text())["runs"]
    assert [run["name"] for run in runs] == ["masks (1)", "masks (2)"]
    assert "| masks (2) |" in page.with_suffix(".md").read_text()


def test_runs_of_other_classes_in_another_order_meet_by_name(reported, tmp_path):
    legend = Legend.of({"water": "#00ffff", "<town>": "#ff0000", "field": "#00ff00"})
    path = tmp_path / "other.tif"
    make_raster(path, noise(1, 60, 60, high=3), **UTM, nodata=255)
    with rasterio.open(path, "r+") as file:
        file.update_tags(GEOSEG_CLASSES=legend.to_json())
    other = collect_masks(str(path), str(path))
    text = write_report([reported, other], tmp_path / "both.html").read_text("utf-8")
    classes = text.split('id="classes"')[1].split("</section>")[0]
    assert [name for name in ("field", "&lt;town&gt;", "(clutter)", "water") if f"{name}</th>" not in classes] == []
    assert classes.count("100.00") == 3 + 1  # every class of the second run, and their mean
    summary = text.split('id="summary"')[1].split("</section>")[0]
    assert "<b>isprs-eroded-5</b>" in summary
    assert "<b>scenes</b>" in summary


def test_crops_with_most_mistakes_come_first_and_do_not_overlap(reported):
    worst, best = reported.gallery.worst, reported.gallery.best
    assert [c.wrong for c in worst] == sorted((c.wrong for c in worst), reverse=True)
    assert worst[0].scene == "c"
    assert "predicted as clutter" in worst[0].mistake
    assert max(c.wrong for c in best) <= min(c.wrong for c in worst)
    for name in "abc":
        windows = [c.window for c in worst if c.scene == name]
        assert all(a.intersection(b).is_empty for n, a in enumerate(windows) for b in windows[:n])


def test_every_crop_and_map_shows_image_reference_prediction_and_errors(reported):
    for shown in (*reported.gallery.worst, *reported.gallery.best, *reported.gallery.scenes):
        assert list(shown.layers) == ["image", "reference", "prediction", "errors"]
        assert len({layer.shape for layer in shown.layers.values()}) == 1


def test_what_cannot_be_written_is_said_before_the_work(tmp_path, page):
    with pytest.raises(OutputError, match="exists already"):
        check_report(page, overwrite=False)
    check_report(page, overwrite=True)
    with pytest.raises(OutputError, match="does not exist"):
        check_report(tmp_path / "nowhere" / "town.html", overwrite=True)


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
@pytest.mark.parametrize("width", [1400, 420])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_chromium_draws_it_in_light_and_dark_wide_and_narrow(page, tmp_path, width, scheme):
    shot = draw(page, tmp_path / "page.png", width, dark=scheme == "dark")
    assert shot.shape[:2] == (1200, width)
    paper = shot[-1, -1].mean()
    assert (paper > 200) == (scheme == "light")
    assert len(np.unique(shot.reshape(-1, 3), axis=0)) > 50
    assert (shot[90:, -3:] == shot[-1, -1]).all()  # below the bar of links nothing reaches beyond the right edge


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
@pytest.mark.parametrize(("width", "says_so"), [(420, True), (2400, False)])
def test_tables_that_are_wider_than_the_page_say_that_they_scroll(page, tmp_path, width, says_so):
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},900", "--dump-dom"]
    options += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000"]
    command = [CHROMIUM, *options, f"file://{page}"]
    for _ in range(4):  # on a busy machine, Chromium prints the page before it has the size of the window
        shown = subprocess.run(command, check=True, capture_output=True, timeout=120).stdout.decode()
        if ('class="wide scrolls"' in shown) == says_so:
            return
    pytest.fail(f"the page of {width} pixels {'does not say' if says_so else 'says'} that a table scrolls")


def test_notes_of_an_evaluation_are_on_the_page_and_in_the_other_files(reported, page):
    (note,) = reported.evaluation.notes
    assert "not labeled and do not count" in note
    for path in report_paths(page):
        assert note in path.read_text("utf-8")


def test_crops_are_called_by_their_errors_and_errors_have_no_color_of_a_class(page):
    text = page.read_text("utf-8")
    assert "Least wrong crops" in text
    assert "Best crops" not in text
    assert "Red: wrong" not in text
    magenta, *_ = OTHER_MARKS  # <town> is red
    assert '<i class="swatch" style="background:#{:02x}{:02x}{:02x}"></i>wrong'.format(*magenta) in text


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")
def test_chromium_opens_the_viewer_of_a_linked_picture(page, tmp_path):
    shot = draw(page, tmp_path / "viewer.png", 900, address="#look-0")
    assert shot[5, 5].mean() < 60
    assert len(np.unique(shot[200:1000].reshape(-1, 3), axis=0)) > 50


def draw(page, target, width, *, dark=False, address=""):
    """A picture of the page as Chromium shows it."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=3000"]
    options += [f"--window-size={width},1200", f"--screenshot={target}", f"--user-data-dir={target.parent / 'profile'}"]
    options += ["--blink-settings=preferredColorScheme=0"] if dark else []
    subprocess.run([CHROMIUM, *options, f"file://{page}{address}"], check=True, capture_output=True, timeout=120)
    return np.asarray(Image.open(target).convert("RGB"))


def macro(name, *arguments):
    """What a macro of the templates renders."""
    return str(getattr(environment().get_template("macros.html.j2").module, name)(*arguments))


@given(st.floats(0, 1))
def test_a_bar_is_as_long_as_its_share(share):
    assert f"width:{100 * share:.1f}%" in macro("bar", Bar(share, "x"))


def test_a_score_that_is_undefined_has_no_bar():
    assert "fill" not in macro("bar", Bar(float("nan"), "x"))


def test_text_is_escaped_and_html_is_not():
    page = render_page('a < "b"', "<i>lead</i>", [])
    assert "<h1>a &lt; &#34;b&#34;</h1>" in page
    assert "&lt;i&gt;lead&lt;/i&gt;" in page
    assert macro("cell", Bar(0.5, "<x>")).count("<span") == 4
    assert "&lt;x&gt;" in macro("cell", Bar(0.5, "<x>"))
