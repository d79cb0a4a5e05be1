"""Model cards from anywhere: an impossible number or name is refused when the card is read."""

import json

import pytest
import torch
from helpers.models import card
from safetensors.torch import save_file

from geoseg.bundle import digest_weights, load, make_header, read_card
from geoseg.errors import BundleError
from geoseg.model_card import ModelCard

NAN, INF = float("nan"), float("inf")

IMPOSSIBLE = {
    "mean NaN": ({"mean": [NAN, 1]}, "the mean of a band is nan"),
    "mean infinite": ({"mean": [1, -INF]}, "the mean of a band is -inf"),
    "mean infinite in float32": ({"mean": [1e300, 1]}, r"the mean of a band is 1e\+300"),
    "std 0": ({"std": [1, 0]}, "the std of a band is 0"),
    "std negative": ({"std": [-1, 1]}, "the std of a band is -1"),
    "std 0 in float32": ({"std": [1e-300, 1]}, "the std of a band is 1e-300"),
    "std infinite": ({"std": [INF, 1]}, "the std of a band is inf"),
    "minimum NaN": ({"minimum": [NAN, 1]}, "the minimum of a band is nan"),
    "GSD 0": ({"gsd": 0}, "the GSD is 0 m per pixel"),
    "GSD negative": ({"gsd": -1}, "the GSD is -1 m per pixel"),
    "GSD NaN": ({"gsd": NAN}, "the GSD is nan m per pixel"),
    "GSD infinite": ({"gsd": INF}, "the GSD is inf m per pixel"),
    "GSD tiny": ({"gsd": 1e-300}, "the GSD is 1e-300 m per pixel"),
    "tile of a billion": ({"tile": 10**9}, r"the tile has a side length of 1e\+09 pixels"),
    "tile 0": ({"tile": 0}, "the tile has a side length of 0 pixels"),
    "crop negative": ({"crop": -1}, "the crop has a side length of -1 pixels"),
    "halo negative": ({"halo": -7}, "a halo of -7 pixels leaves no core in a tile of 16 pixels"),
    "halo of half a tile": ({"halo": 8}, "a halo of 8 pixels leaves no core in a tile of 16 pixels"),
    "halo huge": ({"halo": 10**6}, r"a halo of 1e\+06 pixels leaves no core"),
    "type object": ({"dtype": "object"}, "the pixel type is 'object'"),
    "type unknown": ({"dtype": "nonsense" * 1000}, "the pixel type is 'nonsense"),
    "bands twice": ({"bands": ["red", "red"]}, "two bands are named 'red'"),
    "band without name": ({"bands": ["red", ""]}, "the name of a band is empty"),
    "band with a huge name": ({"bands": ["red", "x" * 10**6]}, "the name of a band has 1000000 characters"),
    "no bands": ({"bands": [], "mean": [], "std": [], "minimum": [], "maximum": []}, "it has no bands"),
    "class with a huge name": (
        {"legend": [{"index": 0, "name": "x" * 10**6, "colour": "#000000"}]},
        "the name of a class has 1000000 characters",
    ),
}


def seal(path, text: str):
    """A bundle without a network whose card is ``text``, sealed like any other."""
    weights = {"x": torch.zeros(1)}
    save_file(weights, path, metadata=make_header(text, digest_weights(weights)))
    return path


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_an_impossible_card_is_refused_by_info_and_by_loading(tmp_path, case) -> None:
    change, message = IMPOSSIBLE[case]
    path = seal(tmp_path / "a.safetensors", json.dumps(json.loads(card().to_json()) | change))
    for read in (read_card, load):
        with pytest.raises(BundleError, match=message) as error:
            read(path)
        assert str(path) in error.value.message
        assert len(error.value.message) < 200 + len(str(path))
        assert error.value.hint


@pytest.mark.parametrize("text", ["[" * 200_000 + "]" * 200_000, "null", "1", '{"model": [], "legend": 1}'])
def test_a_text_that_is_no_card_is_refused(tmp_path, text) -> None:
    with pytest.raises(BundleError, match="the model card is invalid"):
        read_card(seal(tmp_path / "a.safetensors", text))


@pytest.mark.parametrize("change", [{"gsd": None}, {"gsd": 30.0}, {"halo": 7}, {"halo": 0}, {"dtype": "float32"}])
def test_a_possible_card_is_read(change) -> None:
    made = card(**change)
    assert ModelCard.from_json(made.to_json()) == made
