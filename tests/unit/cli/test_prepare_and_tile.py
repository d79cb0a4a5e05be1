"""`geoseg prepare` and `geoseg tile` through the command line, on miniatures of published archives."""

import pytest
from helpers.archives import potsdam_archives

from geoseg.data.preparation.prepared_dataset import PreparedDataset


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    return potsdam_archives(tmp_path_factory.mktemp("potsdam"), size=64)


def test_archives_become_a_folder_to_train_from(geoseg, archives, tmp_path) -> None:
    result = geoseg("prepare", "potsdam", archives, "-o", tmp_path / "made")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{tmp_path / 'made'}\n"
    assert "train: 24 scenes" in result.stderr
    assert "val: 14 scenes" in result.stderr
    assert "License: ISPRS" in result.stderr
    assert len(PreparedDataset.load(tmp_path / "made").all_scenes) == 38
    again = geoseg("prepare", "potsdam", archives, "-o", tmp_path / "made")
    assert "Licence" not in again.stderr  # said once


def test_a_check_converts_nothing_and_says_what_is_there(geoseg, archives, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = geoseg("prepare", "potsdam", archives, "--check")
    assert result.exit_code == 0, result.stdout
    assert "train (24 scenes)" in result.stdout
    assert "impervious_surface" in result.stdout
    assert not list(tmp_path.iterdir())


def test_errors_that_a_check_finds_end_in_exit_code_1(geoseg, archives, tmp_path) -> None:
    few = potsdam_archives(tmp_path / "few", tiles=[(2, 10), (2, 13)])
    result = geoseg("prepare", "potsdam", few, "--check")
    assert result.exit_code == 1
    assert "Error: 36 of 38 images are missing" in result.stdout
    assert "2 scenes, 1 error\n" in result.stderr


def test_downloading_is_for_loveda(geoseg, archives) -> None:
    assert geoseg("prepare", "potsdam", archives, "--download").exit_code == 2


def test_published_crops_are_counted_and_cut(geoseg, archives, tmp_path) -> None:
    geoseg("prepare", "potsdam", archives, "-o", tmp_path / "made")
    counted = geoseg("tile", tmp_path / "made", "--layout", "openmmlab", "--count")
    assert counted.stdout == "train: 24\nval: 14\n"
    cut = geoseg("tile", tmp_path / "made", "-o", tmp_path / "crops", "--layout", "openmmlab")
    assert cut.stdout == f"{tmp_path / 'crops'}\n"
    assert len(list((tmp_path / "crops/img_dir/train").iterdir())) == 24


def test_tile_called_without_an_output_or_with_count_and_output_is_exit_code_2(geoseg, archives, tmp_path) -> None:
    assert geoseg("tile", archives).exit_code == 2
    assert geoseg("tile", archives, "--count", "-o", tmp_path).exit_code == 2
