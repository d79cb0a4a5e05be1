import pytest

from geoseg.bundle import BEST_NAME
from geoseg.errors import ConfigError, OutputError
from geoseg.inference.choose import newest_bundle
from geoseg.training.run import new_run, point_latest_to


def test_two_runs_never_share_a_folder(tmp_path):
    folders = [new_run(tmp_path / "runs", "town") for _ in range(3)]
    assert [folder.name for folder in folders] == ["town", "town-2", "town-3"]


def test_a_place_where_no_folder_can_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made") as caught:
        new_run(tmp_path / "file", "town")
    assert "--runs" in caught.value.hint


def test_latest_points_to_the_run_it_was_last_told(tmp_path):
    for name in ("one", "two"):
        run = new_run(tmp_path, name)
        (run / BEST_NAME).write_text(name)
        point_latest_to(run)
    assert newest_bundle(tmp_path).read_text() == "two"


def test_latest_is_a_text_file_where_links_are_not_allowed(tmp_path, monkeypatch):
    monkeypatch.setattr("pathlib.Path.symlink_to", lambda *_: (_ for _ in ()).throw(OSError("no links here")))
    run = new_run(tmp_path, "town")
    (run / BEST_NAME).write_text("bundle")
    point_latest_to(run)
    assert (tmp_path / "latest").read_text() == "town"
    assert newest_bundle(tmp_path) is not None


@pytest.mark.parametrize("name", ["latest", "a/b", ".."])
def test_a_name_that_latest_could_not_point_to_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="is no name for a run"):
        new_run(tmp_path, name)
