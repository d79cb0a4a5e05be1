"""Archives: files in zips are found, opened and told apart as those in folders are."""

import os
import zipfile

import numpy as np
import pytest
from helpers.archives import pack, png
from helpers.rasters import noise
from hypothesis import given
from hypothesis import strategies as st

from geoseg.errors import DataError, SceneError
from geoseg.grid.window import Window
from geoseg.raster.archive import FileEntry, fingerprint, is_zip_member, list_files, zip_member_path
from geoseg.raster.scene import Scene

PICTURE = png(noise(3, 20, 30))
MEMBERS = [("top/a.png", PICTURE), ("top/b.png", PICTURE), ("about.txt", b"words")]
JUNK = [("__MACOSX/top/._a.png", b"x"), ("top/.DS_Store", b"x"), ("Thumbs.db", b"x"), (".hidden/a.png", b"x")]


def places(root):
    return [entry.relative_path for entry in list_files(root)]


def test_a_zip_is_seen_like_the_folder_it_would_be_unpacked_to(tmp_path) -> None:
    pack(tmp_path / "packed", "all.zip", MEMBERS, zipped=True)
    pack(tmp_path / "folder", "", MEMBERS, zipped=False, unpacked="all.zip")  # a folder of that name
    assert places(tmp_path / "packed") == places(tmp_path / "folder")
    for inside, outside in zip(list_files(tmp_path / "packed"), list_files(tmp_path / "folder"), strict=True):
        assert (inside.name, inside.is_packed, outside.is_packed) == (outside.name, True, False)


def test_zips_are_found_in_folders_and_files_beside_them(tmp_path) -> None:
    pack(tmp_path, "deep/er/one.ZIP", MEMBERS[:1], zipped=True)
    pack(tmp_path, "", MEMBERS[1:], zipped=False, unpacked="deep")
    assert places(tmp_path) == ["deep/about.txt", "deep/er/one.ZIP/top/a.png", "deep/top/b.png"]


@pytest.mark.parametrize("zipped", [True, False])
def test_what_operating_systems_leave_behind_is_left_out(tmp_path, zipped) -> None:
    pack(tmp_path, "all.zip", [*MEMBERS[:1], *JUNK], zipped=zipped)
    assert [place.rpartition("/")[2] for place in places(tmp_path)] == ["a.png"]


def test_folders_in_a_zip_are_no_files(tmp_path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.mkdir("empty")
        file.writestr("empty/not.txt", "")
    assert places(tmp_path) == ["a.zip/empty/not.txt"]


@pytest.mark.parametrize("archive", ["plain.zip", "with space.zip", "mit Ümlaut.zip", "in/a.folder/UPPER.ZIP"])
@pytest.mark.parametrize("member", ["a.png", "sub folder/ä b.png", "./a.png"])
def test_members_are_opened_where_they_lie(tmp_path, archive, member) -> None:
    (tmp_path / archive).parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(tmp_path / archive, "w") as file:
        file.writestr(zipfile.ZipInfo(member), PICTURE)
    (entry,) = list_files(tmp_path)
    with Scene.open(entry.path) as scene:
        assert np.array_equal(scene.read(scene.grid.window).values, noise(3, 20, 30))
    assert fingerprint(entry.path)[1] == len(PICTURE)


def test_a_zip_named_from_elsewhere_is_the_same_file(tmp_path, monkeypatch) -> None:
    pack(tmp_path, "a.zip", MEMBERS, zipped=True)
    absolute = list_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert [entry.path for entry in list_files(tmp_path.relative_to(tmp_path))] == [entry.path for entry in absolute]


names = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=9)


@given(folder=names, archive=names, member=names)
def test_only_members_of_zips_are_packed(tmp_path_factory, folder, archive, member) -> None:
    root = tmp_path_factory.getbasetemp()
    assert is_zip_member(zip_member_path(root / folder / f"{archive}.zip", member))
    assert not is_zip_member(root / folder / member)
    assert FileEntry(f"{archive}.zip/{folder}/{member}", root).name == member


@pytest.mark.parametrize("zipped", [True, False])
def test_the_state_is_another_when_the_content_is(tmp_path, zipped) -> None:
    changed = png(noise(3, 20, 30)[::-1].copy())
    seen = []
    for turn, content in enumerate((PICTURE, PICTURE, changed)):
        pack(tmp_path, "all.zip", [("a.png", content)], zipped=zipped)
        (entry,) = list_files(tmp_path)
        os.utime(
            tmp_path / ("all.zip" if zipped else "a.png"), ns=(0, 10**9 * (turn if zipped else content == changed))
        )
        seen.append(fingerprint(entry.path))
    assert seen[0] == seen[1] != seen[2]


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_zip_that_ends_too_early_is_refused_in_a_sentence(tmp_path, share) -> None:
    pack(tmp_path, "a.zip", MEMBERS, zipped=True)
    whole = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=r"a\.zip is not a readable zip archive: .*zip") as error:
        list_files(tmp_path)
    assert error.value.hint == "download it again"


def test_an_encrypted_zip_is_refused_in_a_sentence(tmp_path) -> None:
    pack(tmp_path, "a.zip", MEMBERS, zipped=True)
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag in the first member's entry of the directory
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.zip is encrypted$") as error:
        list_files(tmp_path)
    assert "password" in error.value.hint


def test_a_member_that_is_damaged_is_refused_when_it_is_read(tmp_path) -> None:
    pack(tmp_path, "a.zip", [("a.png", PICTURE)], zipped=True)
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[200:900] = bytes(700)
    (tmp_path / "a.zip").write_bytes(content)
    (entry,) = list_files(tmp_path)
    with pytest.raises(SceneError, match=r"a\.zip.*a\.png"), Scene.open(entry.path) as scene:
        scene.read(Window(0, 0, 20, 30))


def test_a_folder_that_is_not_there_is_refused(tmp_path) -> None:
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        list_files(tmp_path / "nowhere")
