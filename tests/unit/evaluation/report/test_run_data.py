"""A run that was really trained, on the page: judged on its own recipe, with its curves, per domain."""

import json

import pytest
from helpers.runs import painted_town, tiny

from geoseg.errors import ConfigError
from geoseg.evaluation.domain_shift.measure_shift import measure_shift
from geoseg.evaluation.evaluate_model import evaluate_model
from geoseg.evaluation.options import EvaluationOptions
from geoseg.evaluation.report.run_data import collect_run, collect_scenes, make_names_unique
from geoseg.evaluation.report.write_report import write_report
from geoseg.training.train import train

OPTIONS = EvaluationOptions(device="cpu")


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return painted_town(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="module")
def model(town, tmp_path_factory):
    return train(tiny(town), runs=tmp_path_factory.mktemp("runs")).path


def test_a_run_is_judged_on_its_own_recipe_and_shows_what_it_logged(town, model, tmp_path):
    reported = collect_run(model, OPTIONS)
    assert reported.name == "tiny"
    assert set(reported.curves) == {"loss", "mean_iou", "learning_rate"}
    expected = evaluate_model(tiny(town), OPTIONS, model=model)
    assert (reported.evaluation.total.counts == expected.total.counts).all()
    page = write_report([reported, collect_run(model, OPTIONS, split="train")], tmp_path / "tiny.html")
    text, content = page.read_text("utf-8"), json.loads(page.with_suffix(".json").read_text())
    for section in ("summary", "classes", "domains", "confusion", "scenes", "calibration", "training"):
        assert f'id="{section}"' in text
    assert [run["about"]["split"] for run in content["runs"]] == ["val", "train"]
    assert set(content["runs"][0]["domains"]) == {"dry", "wet"}
    assert "iterations: 12" in content["runs"][0]["recipe"]


def test_a_model_away_from_its_run_is_judged_by_its_card(model, tmp_path):
    alone = tmp_path / "model.safetensors"
    alone.write_bytes(model.read_bytes())
    reported = collect_run(alone, OPTIONS)
    assert (reported.name, reported.curves) == ("model", {})
    with pytest.raises(ConfigError, match="cannot be changed"):
        collect_run(alone, OPTIONS, overrides=["data.root=elsewhere"])


def test_a_run_may_be_judged_on_scenes(town, model):
    reported = collect_scenes(model, str(town / "dry" / "images"), str(town / "dry" / "labels"), OPTIONS)
    assert {scene.name for scene in reported.evaluation.scenes} == {"a", "b"}
    assert reported.gallery.scenes


def test_the_link_to_the_newest_run_has_the_name_of_the_run(model):
    latest = model.parent.parent / "latest" / model.name
    assert latest.is_file()
    assert collect_run(latest, OPTIONS).name == "tiny"


def test_names_are_told_apart(model):
    reported = collect_run(model, OPTIONS)
    assert [run.name for run in make_names_unique([reported, reported])] == ["tiny (1)", "tiny (2)"]


def test_the_gap_to_the_other_domain_is_seen_by_a_real_network(town, model):
    images = [str(town / domain / "images") for domain in ("wet", "dry")]
    gap = measure_shift(*images, model=model, crops=4, device="cpu")
    assert all(band.shift < -0.1 for band in gap.bands)
    assert gap.target.batchnorm
    assert set(gap.target.batchnorm) == set(gap.source.batchnorm)
