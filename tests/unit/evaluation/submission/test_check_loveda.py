"""A zip is valid if and only if the server would take it; everything else is a sentence, never a traceback."""

import zipfile

import numpy as np
import pytest
from helpers.submissions import NUMBERS, SIDE, classes, good_members, png, small_set, zipped
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geoseg.errors import ConfigError, DataError
from geoseg.evaluation.submission.check_loveda import MAX_UNPACKED_BYTES, PHASES, check_submission

NAMES = ("background", "building", "road", "water", "barren", "forest", "agricultural")
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@pytest.fixture(scope="module", autouse=True)
def few_small_images():
    with small_set():
        yield


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    """Checks the bytes of a zip."""
    path = tmp_path_factory.mktemp("check") / "submission.zip"

    def check(content, phase=None):
        path.write_bytes(content)
        return check_submission(path, phase=phase)

    return check


def complaint(found):
    with pytest.raises(DataError) as caught:
        found.require_valid()
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize("phase", ["all", "urban", "rural"])
@pytest.mark.parametrize("method", METHODS)
def test_a_good_zip_is_valid_for_the_phase_that_it_fits(checked, phase, method):
    found = checked(zipped(good_members(PHASES[phase]), method))
    assert found.require_valid() is found
    assert (found.phase, found.images, found.classes) == (phase, len(PHASES[phase]), NAMES)
    where = "LoveDA test" if phase == "all" else f"LoveDA test ({phase} phase)"
    assert str(found) == f"valid for {where}: {len(PHASES[phase])} images, classes present: {', '.join(NAMES)}"


def test_only_classes_that_occur_are_named(checked):
    water = png(np.full((SIDE, SIDE), 3, np.uint8))
    assert checked(zipped((name, water) for name, _ in good_members())).classes == ("water",)


def test_one_missing_image_does_not_make_it_another_phase(checked):
    assert "lacks 1 of 4 images: 4192.png" in complaint(checked(zipped(m for m in good_members() if m[0][3] != "2")))
    assert "lacks 1 of 2 images: 4194.png" in complaint(checked(zipped(good_members(range(4193, 4194)))))


def test_a_phase_can_be_insisted_on(checked):
    content = zipped(good_members())
    assert checked(content, "all").problems == ()
    message = complaint(checked(content, "urban"))
    problem = "it contains images with unexpected numbers: 4191.png, 4192.png"
    assert message == f"not valid for LoveDA test (urban phase): {problem}"
    with pytest.raises(ConfigError, match="no phase 'urbn'"):
        checked(content, "urbn")


def sixteen_bits():
    return png(classes(4191).astype(np.uint16))


def palette():
    picture = Image.fromarray(classes(4191)).convert("P")
    return png(np.asarray(picture), mode="P")


WRONG = {
    "is RGB, not a single channel": png(np.stack([classes(4191)] * 3, axis=-1)),
    "is palette, not a single channel": palette(),
    "is gray and alpha, not": png(classes(4191), mode="LA"),
    "is RGB and alpha, not": png(classes(4191), mode="RGBA"),
    "has 1 bits per pixel, not 8": png(classes(4191) > 3),
    "has 16 bits per pixel, not 8": sixteen_bits(),
    "has 8 x 16 pixels, not 16 x 16": png(classes(4191)[:8]),
    "has 16 x 15 pixels, not 16 x 16": png(classes(4191)[:, :15]),
    "contains the value 7, but class indices are 0 to 6": png(classes(4191) + np.uint8(1)),
    "contains the value 255, but class": png(np.where(classes(4191) == 3, np.uint8(255), classes(4191))),
    "is not a PNG": png(classes(4191), kind="TIFF"),
    "cannot be read": png(classes(4191))[:-30],
    "would expand to": bytes(MAX_UNPACKED_BYTES + 1),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_image_is_named_with_what_is_wrong(checked, wrong):
    (first, _), *others = good_members()
    found = checked(zipped([(first, WRONG[wrong]), *others], zipfile.ZIP_DEFLATED))
    assert len(found.problems) == 1
    assert f": 4191.png {wrong}" in complaint(found)


@pytest.mark.parametrize(("value", "hint"), [(7, "without adding one"), (255, "every pixel"), (128, "not colors")])
def test_a_value_that_is_no_class_is_explained(checked, value, hint):
    (first, _), *others = good_members()
    found = checked(zipped([(first, png(np.full((SIDE, SIDE), value, np.uint8))), *others]))
    assert hint in found.problems[0].hint


def test_an_image_of_an_empty_file_is_no_png(checked):
    assert "4194.png is not a PNG" in complaint(checked(zipped([*good_members()[:-1], ("4194.png", b"")])))


LAYOUTS = {
    "it contains folders: masks/4191.png, masks/4192.png, masks/4193.png, masks/4194.png": [
        (f"masks/{name}", content) for name, content in good_members()
    ],
    "it contains folders: masks/": [("masks/", b""), *good_members()],
    "it contains unexpected files: readme.txt": [*good_members(), ("readme.txt", b"hello")],
    "it contains unexpected files: 4191.tif": [*good_members(), ("4191.tif", b"")],
    "it contains images with unexpected numbers: 4195.png": [*good_members(), ("4195.png", png(classes(1)))],
    "it lacks 4 of 4 images: 4191.png, 4192.png, 4193.png, 4194.png": [],
}


@pytest.mark.parametrize("message", LAYOUTS)
def test_what_else_is_in_it_is_named(checked, message):
    found = checked(zipped(LAYOUTS[message]))
    assert complaint(found) == f"not valid for LoveDA test: {message}"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_image_that_is_there_twice_is_named(checked):
    found = checked(zipped([*good_members(), good_members()[2]]))
    assert complaint(found) == "not valid for LoveDA test: it contains more than one 4193.png"


def test_names_with_leading_zeros_or_capitals_are_other_files(checked):
    members = [(name.replace("4191.png", "04191.png").replace("2.png", "2.PNG"), c) for name, c in good_members()]
    message = complaint(checked(zipped(members), "all"))
    assert "it contains unexpected files: 04191.png, 4192.PNG (and 1 more problem)" in message


def test_further_problems_are_counted(checked):
    plus_one = [(name, png(classes(int(name[:4])) + np.uint8(1))) for name, _ in good_members()]
    assert complaint(checked(zipped(plus_one))).endswith(
        "4191.png contains the value 7, but class indices are 0 to 6 (and 3 more problems)"
    )
    assert str(checked(zipped(plus_one))).startswith("not valid for LoveDA test: 4 images")


@pytest.mark.parametrize("content", [b"", b"no zip at all", zipped(good_members())[:200]])
def test_what_is_no_zip_is_a_sentence(checked, content):
    with pytest.raises(DataError, match="cannot be read"):
        checked(content)


def test_a_file_that_is_not_there_is_a_sentence(tmp_path):
    for path in (tmp_path / "nothing.zip", tmp_path):
        with pytest.raises(DataError, match="there is no file"):
            check_submission(path)


def test_an_encrypted_zip_is_a_sentence(checked):
    content = bytearray(zipped(good_members()))
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + flags] |= 1
    assert "4191.png cannot be read" in complaint(checked(bytes(content)))


masks = st.integers(0, 9).map(lambda value: np.full((SIDE, SIDE), value, np.uint8))


@given(st.dictionaries(st.integers(4189, 4196), masks, max_size=8), st.sampled_from(["all", "urban", "rural"]))
def test_valid_means_exactly_the_phases_images_with_exactly_the_classes(checked, images, phase):
    found = checked(zipped((f"{number}.png", png(mask)) for number, mask in images.items()), phase)
    right = set(images) == set(PHASES[phase]) and all(mask.max() <= 6 for mask in images.values())
    assert (not found.problems) == right
    if right:
        assert found.classes == tuple(NAMES[index] for index in sorted({int(mask.max()) for mask in images.values()}))


@given(st.data(), st.sampled_from(METHODS))
def test_a_damaged_zip_is_refused_in_a_sentence_or_its_images_are_whole(checked, tmp_path_factory, data, method):
    content = bytearray(zipped(good_members(), method))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = checked(bytes(content), "all")
    except DataError:
        return
    if not found.problems:
        path = tmp_path_factory.getbasetemp() / "damaged.zip"
        path.write_bytes(content)
        with zipfile.ZipFile(path) as archive:
            assert [(f"{number}.png", archive.read(f"{number}.png")) for number in NUMBERS] == good_members()


@given(st.floats(0, 0.999))
def test_a_zip_that_was_cut_off_is_never_valid(checked, share):
    content = zipped(good_members())
    with pytest.raises(DataError):
        checked(content[: int(len(content) * share)])


@given(st.data())
def test_a_damaged_png_is_refused_in_a_sentence_or_harmless(checked, data):
    (name, content), *others = good_members()
    broken = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    found = checked(zipped([(name, bytes(broken)), *others]))
    assert len(found.problems) <= 1
    assert all(problem.message.startswith("4191.png ") for problem in found.problems)
