"""Options: nonsense is refused early, and settings tell any two apart."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from geoseg.errors import ConfigError
from geoseg.inference.options import Options

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
    assert set(OTHER) == {field.name for field in fields(Options)}
    assert all(OTHER[field.name] != field.default for field in fields(Options))


@pytest.mark.parametrize("name", OTHER)
def test_settings_are_json_and_differ_when_any_option_does(name):
    context = {"mode": "slide"} if name == "stride" else {}
    usual, other = Options.of(**context), Options.of(**context | {name: OTHER[name]})
    settings = dict(other.as_settings())
    assert json.loads(json.dumps(settings)) == settings
    differing = {key for key, value in settings.items() if value != usual.as_settings()[key]}
    assert differing == {name}


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"batch": 0}, "batch of 0"),
        ({"batch": -4}, "batch of -4"),
        ({"on_read_error": "ignore"}, "stop or skip"),
        ({"blend": "crap"}, "no blend 'crap'"),
        ({"mode": "slid"}, "no mode 'slid'"),
        ({"tta": "flop"}, "no augmentation 'flop'"),
        ({"mode": "slide", "halo": 4}, "no halo"),
        ({"mode": "slide", "blend": "crop"}, "no blend crop"),
        ({"stride": 100}, "windows that slide"),
        ({"window": "cosinus"}, "no window"),
        ({"border": "zero"}, "mirror or mean"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(wrong, word):
    with pytest.raises(ConfigError, match=word):
        Options.of(**wrong)


def test_an_option_that_does_not_exist_is_a_mistake_of_the_programmer():
    with pytest.raises(TypeError, match="tiel"):
        Options.of(tiel=3)


@pytest.mark.parametrize(
    ("given", "kept"),
    [(["red", "nir"], ("red", "nir")), ((n for n in "ab"), ("a", "b")), ("3,2,1", "3,2,1"), (None, None)],
)
def test_bands_may_be_any_iterable_of_names(given, kept):
    assert Options.of(bands=given).bands == kept


def test_several_devices_are_named_with_commas(monkeypatch):
    assert Options().devices == ["auto"]
    assert Options(device="cuda:0, cuda:2").devices == ["cuda:0", "cuda:2"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert Options(device="cuda:all").devices == ["cuda:0", "cuda:1", "cuda:2"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ConfigError, match="no GPU"):
        Options(device="cuda:all").devices  # noqa: B018
