import pytest

from geoseg.bundle import BEST_NAME, LATEST_NAME
from geoseg.errors import BundleError
from geoseg.inference.model_lookup import find_model


@pytest.fixture
def runs(tmp_path):
    """A folder of runs with one run that has a bundle."""
    (tmp_path / "runs" / "town-1").mkdir(parents=True)
    (tmp_path / "runs" / "town-1" / BEST_NAME).touch()
    return tmp_path / "runs"


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.safetensors"
    path.touch()
    return path


def test_a_given_model_goes_before_everything_else(runs, model):
    (runs / LATEST_NAME).symlink_to("town-1")
    choice = find_model(str(model), runs=runs, environment={"GEOSEG_MODEL": "other"})
    assert (choice.path, choice.reason) == (model, "given")


def test_a_given_run_folder_means_its_best_bundle(runs):
    assert find_model(runs / "town-1").path == runs / "town-1" / BEST_NAME


def test_the_newest_run_comes_next_through_a_link(runs, model):
    (runs / LATEST_NAME).symlink_to("town-1")
    choice = find_model(None, runs=runs, environment={"GEOSEG_MODEL": str(model)})
    assert choice.path.samefile(runs / "town-1" / BEST_NAME)
    assert "newest run" in choice.reason


@pytest.mark.parametrize("absolute", [True, False])
def test_the_newest_run_may_be_named_in_a_text_file(runs, absolute):
    (runs / LATEST_NAME).write_text(f"{runs / 'town-1' if absolute else 'town-1'}\n", encoding="utf-8")
    assert find_model(None, runs=runs).path.samefile(runs / "town-1" / BEST_NAME)


def test_the_environment_comes_last(runs, model):
    choice = find_model(None, runs=runs, environment={"GEOSEG_MODEL": str(model)})
    assert choice.path == model
    assert "GEOSEG_MODEL" in choice.reason


def test_a_newest_run_without_bundle_yields_to_the_environment(runs, model):
    (runs / "town-1" / BEST_NAME).unlink()
    (runs / LATEST_NAME).symlink_to("town-1")
    assert find_model(None, runs=runs, environment={"GEOSEG_MODEL": str(model)}).path == model


def test_a_newest_run_without_bundle_is_said_when_there_is_nothing_else(runs):
    (runs / "town-1" / BEST_NAME).unlink()
    (runs / LATEST_NAME).symlink_to("town-1")
    with pytest.raises(BundleError, match="has no model yet"):
        find_model(None, runs=runs)


@pytest.mark.parametrize("pointer", [None, "nowhere", ""])
def test_nothing_at_all_is_an_error_that_says_how_to_name_one(runs, pointer):
    if pointer is not None:
        (runs / LATEST_NAME).write_text(pointer, encoding="utf-8")
    with pytest.raises(BundleError) as caught:
        find_model(None, runs=runs, environment={})
    assert "--model" in caught.value.hint
    assert "GEOSEG_MODEL" in caught.value.hint


@pytest.mark.parametrize(
    "how", [{"given": "no.safetensors"}, {"given": None, "environment": {"GEOSEG_MODEL": "no.safetensors"}}]
)
def test_a_model_that_is_not_there_is_an_error_with_its_name(tmp_path, how):
    with pytest.raises(BundleError, match=r"model no\.safetensors does not exist"):
        find_model(how["given"], runs=tmp_path, environment=how.get("environment"))
