"""Bundles: what is saved is what is loaded. (Damaged ones: test_bundle_damage.)"""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.models import card
from hypothesis import given
from hypothesis import strategies as st
from strategies import legends

from geoseg.bundle import Bundle, digest_file, load, read_card
from geoseg.config.component_spec import Component
from geoseg.config.recipe import ModelSection
from geoseg.errors import BundleError, OutputError
from geoseg.legend import Legend
from geoseg.model_card import ModelCard
from geoseg.models.build import build_network

MODEL = ModelSection(
    backbone=Component(name="resnet18"),
    head=Component(name="fcn", options={"channels": 8}),
    output_stride=16,
    auxiliary_weight=0.4,
)
SAID = {
    "scores": {"mean_iou": 0.5, "iou water": float("nan")},
    "protocol": "scenes",
    "recipe": {"name": "town", "train": {"crop": 64}},
    "data": {"digest": "0123abcd", "licence": "CC BY 4.0"},
    "provenance": {"seed": "7", "geoseg": "0.1.0"},
}
"""What a card says beside how to predict."""
numbers = st.floats(-1e6, 1e6)
positive = st.floats(1e-4, 1e4)
names = st.text("abcäß 1/<", min_size=1, max_size=4).filter(str.strip)


@pytest.fixture(scope="module")
def made() -> Bundle:
    """A small network for two bands and three classes, its running means unlike those of a new one."""
    torch.manual_seed(0)
    network = build_network(MODEL, bands=2, classes=3)
    network.train()(torch.randn(2, 2, 64, 64))
    return Bundle(network.eval(), card(model=MODEL, **SAID))


@pytest.fixture(scope="module")
def saved(made, tmp_path_factory):
    """The same, as a file."""
    return made.save(tmp_path_factory.mktemp("bundle") / "model.safetensors")


def test_a_loaded_bundle_gives_the_same_logits(made, saved) -> None:
    images = torch.randn(1, 2, 50, 70)
    with torch.no_grad():
        assert torch.equal(load(saved).network(images), made.network(images))


def test_a_loaded_bundle_has_the_same_card_and_is_ready_to_predict(made, saved) -> None:
    bundle = Bundle.load(saved)
    assert same_card(bundle.card, made.card)
    assert same_card(read_card(saved), made.card)
    assert not bundle.network.training
    assert bundle.source == str(saved)


def same_card(one: ModelCard, other: ModelCard) -> bool:
    """Equal, a score that is no number included."""
    return repr(one) == repr(other)


def test_what_the_model_learnt_from_is_told_in_fields_of_its_own(saved) -> None:
    said = read_card(saved)
    assert (said.protocol, said.recipe["train"]["crop"], said.data["digest"]) == ("scenes", 64, "0123abcd")
    assert said.provenance["geoseg"] == "0.1.0"


def test_the_auxiliary_head_may_be_left_out(made, tmp_path) -> None:
    slim = build_network(MODEL.model_copy(update={"auxiliary_weight": 0.0}), bands=2, classes=3)
    slim.load_state_dict({k: v for k, v in made.network.state_dict().items() if not k.startswith("auxiliary.")})
    bundle = load(Bundle(slim, made.card).save(tmp_path / "slim.safetensors"))
    images = torch.randn(1, 2, 40, 40)
    with torch.no_grad():
        assert torch.equal(bundle.network(images), made.network(images))


def test_a_card_is_read_without_torch(saved) -> None:
    code = (
        f"import sys; from geoseg.bundle import read_card; read_card({str(saved)!r}); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@given(
    legends(),
    st.lists(st.tuples(names, numbers, positive, numbers, numbers), min_size=1, max_size=13, unique_by=lambda b: b[0]),
    st.none() | positive,
)
def test_a_card_survives_being_written_as_json(legend, bands, gsd) -> None:
    bands, mean, std, minimum, maximum = (tuple(column) for column in zip(*bands, strict=True))
    made = card(bands, legend=legend, mean=mean, std=std, minimum=minimum, maximum=maximum, gsd=gsd, model=MODEL)
    assert ModelCard.from_json(made.to_json()) == made


def test_scores_that_are_no_number_survive_too() -> None:
    read = ModelCard.from_json(card(scores={"iou water": float("nan")}).to_json())
    assert np.isnan(read.scores["iou water"])


def test_a_card_with_too_few_numbers_is_no_card() -> None:
    with pytest.raises(BundleError, match="2 bands, but the std of 1"):
        card(std=(1.0,))


def test_loading_a_bundle_unpickles_nothing(saved, monkeypatch) -> None:
    for reader in ("pickle.Unpickler", "pickle.load", "pickle.loads", "torch.load"):
        monkeypatch.setattr(reader, None)
    assert same_card(load(saved).card, read_card(saved))


def test_saving_leaves_one_file_and_replaces_what_was_there(made, tmp_path) -> None:
    path = tmp_path / "new" / "folder" / "model.safetensors"
    made.save(path)
    first = digest_file(path)
    replace(made, card=replace(made.card, gsd=0.5)).save(path)
    assert [each.name for each in path.parent.iterdir()] == [path.name]
    assert read_card(path).gsd == 0.5
    assert digest_file(path) != first


def test_a_bundle_that_cannot_be_written_is_an_error_in_words(made, tmp_path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    for path in [tmp_path / "file" / "model", tmp_path / "folder", tmp_path / ("long" * 63)]:
        with pytest.raises(OutputError, match="cannot be written"):
            made.save(path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]


def test_the_digest_is_the_files_sha256(tmp_path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert digest_file(tmp_path / "a") == "ba7816bf8f01cfea"


def test_the_repr_shows_what_a_person_wants_to_know(saved) -> None:
    lines = repr(load(saved)).splitlines()
    assert lines[0] == f"Bundle {str(saved)!r}"
    assert lines[1] == "  model: resnet18 + fcn"
    assert lines[-1] == "  scores: mean_iou 0.5 (protocol scenes)"


def test_notebooks_show_a_table_with_escaped_class_names(made) -> None:
    shown = replace(made, card=replace(made.card, legend=Legend.of(["<b>", "water", "c"])))._repr_html_()
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    assert "resnet18 + fcn" in shown
