"""Bundles with edited cards and correct seals: absurd numbers, strange names, nested JSON, wrong headers."""

import json
import struct
from collections.abc import Callable, Iterator
from typing import Any

from safetensors.torch import load_file, save_file

from geoseg.bundle import digest_weights, make_header, read_card

from .cases import Case, Place, info, predict

STRANGE_NAMES = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "../../../etc/passwd",
    "a\nb\x00c\x1b[31m",
    "'; DROP TABLE polygons;--",
)
"""Class names that programs might execute, or use as paths."""

NAN, INFINITY = float("nan"), float("inf")

ABSURD: dict[str, dict[str, Any]] = {
    "tile of a billion": {"tile": 10**9},
    "negative tile": {"tile": -5},
    "no tile": {"tile": 0},
    "halo of a million": {"halo": 10**6},
    "halo larger than the tile": {"halo": 200},
    "negative halo": {"halo": -7},
    "std 0": {"std": [0, 0, 0]},
    "std NaN": {"std": [NAN] * 3},
    "std infinite": {"std": [INFINITY] * 3},
    "std negative": {"std": [-60.0] * 3},
    "mean NaN": {"mean": [NAN] * 3},
    "mean infinite": {"mean": [INFINITY] * 3},
    "GSD 0": {"gsd": 0},
    "GSD negative": {"gsd": -1},
    "GSD NaN": {"gsd": NAN},
    "GSD infinite": {"gsd": INFINITY},
    "GSD tiny": {"gsd": 1e-300},
    "dtype object": {"dtype": "object"},
    "dtype unknown": {"dtype": "nonsense"},
    "no bands": {"bands": [], "mean": [], "std": [], "minimum": [], "maximum": []},
    "equal bands": {"bands": ["red", "red", "red"]},
    "no classes": {"legend": []},
    "card of another model": {"model": {"backbone": "../../x", "head": "fcn"}},
    "a million channels": {"model": {"backbone": "resnet18", "head": {"name": "fcn", "channels": 10**6}}},
    "head of a terabyte": {"model": {"backbone": "resnet18", "head": {"name": "deeplabv3", "channels": 65_000}}},
    "a million branches": {"model": {"backbone": "resnet18", "head": {"name": "deeplabv3", "dilations": [1] * 10**6}}},
    "backbone of gigabytes": {"model": {"backbone": "convnextv2_huge", "head": "fcn"}},
    "nested model": {"model": {"backbone": {"name": {"name": "x"}}}},
}
"""Changes of a card that make it invalid."""


def write_cases(place: Place) -> Iterator[Case]:
    """Write bundles and yield their calls."""
    weights = load_file(place.model)
    digest = digest_weights(weights)
    card = read_card(place.model).to_json()

    def write(label: str, text: str) -> str:
        path = place.folder / f"{label.replace(' ', '_')}.safetensors"
        save_file(weights, path, metadata=make_header(text, digest))
        return str(path)

    for label, changes in ABSURD.items():
        yield from _calls(place, label, write(label, json.dumps(json.loads(card) | changes)), must_fail=True)
    for label, edit in {
        "strange names": _strange_names,
        "long name": _long_name,
        "strange scores": _strange_scores,
    }.items():
        yield from _calls(place, label, write(label, _edited(card, edit)), must_fail=False)
    texts = {
        "nested card": "[" * 200_000 + "]" * 200_000,
        "nested recipe": card.replace('"recipe": {}', '"recipe": ' + '{"a":' * 90_000 + "1" + "}" * 90_000),
        "integer of 6000 digits": card.replace('"crop": 64', '"crop": ' + "9" * 6000),
        "card is null": "null",
        "card is a list": "[]",
    }
    for label, text in texts.items():
        yield from _calls(place, label, write(label, text), must_fail=True)
    yield from _wrong_headers(place)


def _calls(place: Place, label: str, path: str, *, must_fail: bool) -> Iterator[Case]:
    yield info(f"bundle: {label}", path)
    yield predict(f"with bundle: {label}", place.scene, path, must_fail=must_fail)


def _edited(card: str, edit: Callable[[dict[str, Any]], None]) -> str:
    content = json.loads(card)
    edit(content)
    return json.dumps(content)


def _strange_names(card: dict[str, Any]) -> None:
    for entry, name in zip(card["legend"], STRANGE_NAMES, strict=True):
        entry["name"] = name


def _long_name(card: dict[str, Any]) -> None:
    card["legend"][0]["name"] = "x" * 5_000_000


def _strange_scores(card: dict[str, Any]) -> None:
    card["scores"] = {"<b>": NAN, "iou road": INFINITY}


def _wrong_headers(place: Place) -> Iterator[Case]:
    headers = {
        "header of 2^63 bytes": struct.pack("<Q", 2**63) + b"{}",
        "nested header": struct.pack("<Q", 100_000) + b"[" * 100_000,
        "header is a list": struct.pack("<Q", 2) + b"[]",
        "empty": b"",
    }
    for label, content in headers.items():
        path = place.folder / f"{label.replace(' ', '_')}.safetensors"
        path.write_bytes(content)
        yield from _calls(place, label, str(path), must_fail=True)
