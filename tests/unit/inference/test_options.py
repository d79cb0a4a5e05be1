"""Options: nonsense is refused early, and settings tell any two apart."""

import json
from dataclasses import fields
from pathlib import Path

import click
import pytest
import torch

from geoseg.errors import ConfigError
from geoseg.inference.options import CHOICES, PredictOptions
from geoseg.inference.predictor_cache import list_devices
from geoseg.inference.tiled.blending import BLENDS, WINDOWS
from geoseg.inference.tta import TTA

OTHER = {
    "tile": 256,
    "halo": 8,
    "batch": 2,
    "border": "mean",
    "blend": "crop",
    "window": "linear",
    "mode": "slide",
    "stride": 100,
    "tta": "d4",
    "bands": ("nir", "red"),
    "any_dtype": True,
    "gsd": 0.3,
    "bbox": (1, 2, 3.5, 4),
    "bbox_crs": "EPSG:4326",
    "aoi": Path("parks.gpkg"),
    "on_read_error": "skip",
    "device": "cuda:0,cuda:1",
    "precision": "bfloat16",
    "engine": "openvino",
}
"""Another value than the usual one for every option."""


def test_every_option_has_another_value_here():
    assert set(OTHER) == {field.name for field in fields(PredictOptions)}
    assert all(OTHER[field.name] != field.default for field in fields(PredictOptions))


@pytest.mark.parametrize("name", OTHER)
def test_settings_are_json_and_differ_when_any_option_does(name):
    context = {"mode": "slide"} if name == "stride" else {}
    usual, other = PredictOptions(**context), PredictOptions(**context | {name: OTHER[name]})
    settings = dict(other.to_settings())
    assert json.loads(json.dumps(settings)) == settings
    differing = {key for key, value in settings.items() if value != usual.to_settings()[key]}
    assert differing == {name}


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"batch": 0}, "at least 1, got 0"),
        ({"batch": -4}, "at least 1, got -4"),
        ({"gsd": 0.0}, "gsd must be a positive number of meters per pixel, got 0"),
        ({"gsd": float("nan")}, "got nan"),
        ({"gsd": float("inf")}, "got inf"),
        ({"on_read_error": "ignore"}, "unknown on_read_error 'ignore'"),
        ({"blend": "crap"}, "unknown blend 'crap'"),
        ({"mode": "slid"}, "unknown mode 'slid'"),
        ({"tta": "flop"}, "unknown tta 'flop'"),
        ({"mode": "slide", "halo": 4}, "halo cannot be used"),
        ({"mode": "slide", "blend": "crop"}, "blend crop cannot be used"),
        ({"stride": 100}, "stride 100 requires mode slide"),
        ({"window": "cosinus"}, "unknown window 'cosinus'"),
        ({"border": "zero"}, "unknown border 'zero'"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(wrong, word):
    with pytest.raises(ConfigError, match=word):
        PredictOptions(**wrong)


def test_an_option_that_does_not_exist_is_a_mistake_of_the_programmer():
    with pytest.raises(TypeError, match="tiel"):
        PredictOptions(tiel=3)


@pytest.mark.parametrize(
    ("given", "kept"),
    [(["red", "nir"], ("red", "nir")), ((n for n in "ab"), ("a", "b")), ("3,2,1", "3,2,1"), (None, None)],
)
def test_bands_may_be_any_iterable_of_names(given, kept):
    assert PredictOptions(bands=given).bands == kept


def test_several_devices_are_named_with_commas(monkeypatch):
    assert list_devices(PredictOptions().device) == ["auto"]
    assert list_devices("cuda:0, cuda:2") == ["cuda:0", "cuda:2"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert list_devices("cuda:all") == ["cuda:0", "cuda:1", "cuda:2"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ConfigError, match="requires a GPU"):
        list_devices("cuda:all")


def test_choices_are_the_names_of_what_exists():
    assert CHOICES["blend"] == tuple(BLENDS)
    assert CHOICES["window"] == tuple(WINDOWS)
    assert CHOICES["tta"] == tuple(TTA)


@pytest.mark.parametrize("name", ["predict", "evaluate"])
def test_the_command_line_offers_the_methods_there_are(geoseg_command, name):
    command = geoseg_command.get_command(click.Context(geoseg_command), name)
    choices = {option.name: tuple(option.type.choices) for option in command.params if hasattr(option.type, "choices")}
    assert choices["mode"] == CHOICES["mode"]
    assert choices["tta"] == tuple(TTA)
    assert choices.get("blend", tuple(BLENDS)) == tuple(BLENDS)
    assert choices.get("window", tuple(WINDOWS)) == tuple(WINDOWS)
