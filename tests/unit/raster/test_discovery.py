"""What words on a command line mean: scenes, folders, patterns."""

import pytest

from geoseg.errors import SceneError
from geoseg.raster.discovery import is_collection, list_scenes


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiles").mkdir()
    for name in ("b.tif", "a.TIF", "c.jp2", ".b.tif.part.tif", "b_mask.tif", "notes.txt", "all.vrt", "b.tif.aux.xml"):
        (tmp_path / "tiles" / name).touch()
    (tmp_path / "odd[1].tif").touch()
    return tmp_path


def test_a_folder_means_its_scenes_but_no_masks_and_no_hidden_files(folder):
    assert list_scenes(["tiles"]) == ["tiles/a.TIF", "tiles/b.tif", "tiles/c.jp2"]


def test_a_pattern_means_what_fits_it(folder):
    assert list_scenes(["tiles/*.tif"]) == ["tiles/b.tif", "tiles/b_mask.tif"]
    assert list_scenes(["**/*.vrt"]) == ["tiles/all.vrt"]


def test_words_keep_their_order_and_nothing_comes_twice(folder):
    assert list_scenes(["gone.tif", "tiles/c.jp2", "tiles"]) == [
        "gone.tif",
        "tiles/c.jp2",
        "tiles/a.TIF",
        "tiles/b.tif",
    ]


def test_names_with_brackets_and_addresses_are_no_patterns(folder):
    for word in ("odd[1].tif", "https://example.org/scene.tif?size=1", "/vsizip/{a.zip}/b?.tif"):
        assert list_scenes([word]) == [word]
        assert not is_collection([word])


def test_what_may_be_several_is_known(folder):
    assert is_collection(["tiles"])
    assert is_collection(["tiles/*.tif"])
    assert is_collection(["a.tif", "b.tif"])
    assert not is_collection(["gone.tif"])


@pytest.mark.parametrize("word", ["empty", "*.png"])
def test_a_folder_or_pattern_without_scenes_is_a_sentence(folder, word):
    (folder / "empty").mkdir()
    with pytest.raises(SceneError, match=r"contains no scenes|no file matches") as caught:
        list_scenes([word])
    assert caught.value.hint
