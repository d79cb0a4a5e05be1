"""A bundle is one safetensors file with a network and its card: weights plus what they mean.

The card travels as JSON in the file's header, so it can be read without torch and without the weights, and loading a
bundle runs no code from it. Prediction needs nothing but the bundle: not the recipe, not the training data. Digests of
card and weights, in the header too, tell a file that was damaged or edited from one that is as it was saved. (They do
not tell a forger: whoever edits a file can write new ones.)
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import TypeAdapter, ValidationError

from geoseg._files import output_errors, part_path, remove
from geoseg.config.recipe import ModelSection
from geoseg.errors import BundleError, GeosegError, OutputError
from geoseg.legend import Legend

if TYPE_CHECKING:
    from torch import Tensor

    from geoseg.models.network import SegmentationNetwork

FORMAT = "geoseg-bundle-2"
"""Changes when older versions of geoseg could no longer read the file."""

SEALED = ("format", "card", "weights")
"""Entries of a header that its seal covers; ``weights`` is their digest."""

MAX_HEADER = 100_000_000
"""Bytes; the limit of the safetensors format. A file whose first bytes promise more is none."""

CORRUPT_HINT = "copy it again from where it is whole, or make it again"

BEST_NAME = "best.safetensors"
"""What a training run calls its best bundle, in the run's folder."""

LATEST = "latest"
"""The link (or text file) in the folder of runs that names the newest run."""


@dataclass(frozen=True)
class ModelCard:
    """What the weights mean. Names follow the STAC extension MLM where it has one."""

    model: ModelSection
    """How the network is built."""
    legend: Legend
    """Classes in the order of the network's output channels."""
    bands: tuple[str, ...]
    """Names of the input bands, in order."""
    mean: tuple[float, ...]
    """Per band, subtracted first; in units of the scene's pixels."""
    std: tuple[float, ...]
    """Per band, divided by afterwards; in units of the scene's pixels."""
    minimum: tuple[float, ...]
    """Per band, smallest value seen in training."""
    maximum: tuple[float, ...]
    """Per band, largest value seen in training."""
    dtype: str
    """Pixel type of the training scenes (numpy name)."""
    gsd: float | None
    """Metres per pixel the network learnt at; None if the training scenes had no CRS."""
    crop: int
    """Side of a training crop, pixels."""
    tile: int
    """Side of what the network should see at once in prediction, pixels at the model's GSD."""
    halo: int
    """Context pixels around each tile's core, which neighbouring tiles share."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Scores on the validation split, by name."""
    protocol: str = ""
    """How the scores were counted; ``scenes``: every labelled pixel of whole scenes once. Empty without scores."""
    recipe: Mapping[str, Any] = field(default_factory=dict)
    """The recipe of the training run with all its defaults; empty for imported weights."""
    data: Mapping[str, str] = field(default_factory=dict)
    """The training data: ``digest``, their fingerprint, and what their dataset says of itself (licence, domains)."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Seed, date, versions of software; for imported weights the checkpoint they were in."""

    def __post_init__(self) -> None:
        per_band = {"mean": self.mean, "std": self.std, "minimum": self.minimum, "maximum": self.maximum}
        for name, numbers in per_band.items():
            if len(numbers) != len(self.bands):
                raise BundleError(f"the model card has {len(self.bands)} bands, but a {name} for {len(numbers)}")

    def to_json(self) -> str:
        """The card as JSON text."""
        fields = {
            **asdict(self),
            "model": self.model.model_dump(mode="json"),
            "legend": json.loads(self.legend.to_json()),
        }
        return json.dumps(fields)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The card that :meth:`to_json` wrote; :class:`BundleError` if something is missing or does not fit."""
        try:
            fields = json.loads(text)
            fields["model"] = ModelSection.model_validate(fields["model"])
            fields["legend"] = Legend.from_json(json.dumps(fields["legend"]))
            return TypeAdapter(cls).validate_python(vars(cls(**fields)))
        except (ValueError, KeyError, TypeError, ValidationError, GeosegError):
            raise BundleError(
                "the model card does not read", "the file is damaged, or made by another version of geoseg"
            ) from None


@dataclass(frozen=True)
class Bundle:
    """A network with its card."""

    network: "SegmentationNetwork"
    card: ModelCard
    source: str = ""
    """Path it was loaded from; empty for a bundle that was never saved."""

    def save(self, path: str | Path) -> Path:
        """Writes the bundle, whole or not at all; :class:`OutputError` if that is impossible."""
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        path = Path(path)
        part = part_path(path)
        weights = {name: weight.detach().cpu().contiguous() for name, weight in self.network.state_dict().items()}
        try:
            with output_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                save_file(weights, part, metadata=header(self.card.to_json(), weights_digest(weights)))
                with part.open("rb+") as file:
                    os.fsync(file.fileno())  # or a power failure might leave the new name with nothing in it
                part.replace(path)
        except SafetensorError as error:  # its word for a full disk
            raise OutputError(f"{path} cannot be written: {_first_line(error)}", "free some space") from None
        finally:
            remove(part)
        return path

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> Self:
        """The bundle in a file, its network in evaluation mode on ``device``; else a :class:`BundleError`."""
        metadata = _read_header(Path(path))
        card = ModelCard.from_json(metadata["card"])
        network = _network(path, card, _read_weights(path, metadata["weights"]))
        return cls(network.eval().to(device), card, str(path))


def load(path: str | Path, device: str = "cpu") -> Bundle:
    """The bundle in a file: :meth:`Bundle.load`."""
    return Bundle.load(path, device)


def read_card(path: str | Path) -> ModelCard:
    """The card of a bundle, from the file's header alone: no torch, no weights."""
    return ModelCard.from_json(_read_header(Path(path))["card"])


def digest(path: str | Path) -> str:
    """The first 16 hex digits of the file's SHA-256."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def header(card: str, weights: str) -> dict[str, str]:
    """What a bundle's header holds beside names and shapes: the card, the digest of the ``weights``, a seal on both."""
    entries = {"format": FORMAT, "card": card, "weights": weights}
    return {**entries, "seal": _seal(entries)}


def weights_digest(weights: "Mapping[str, Tensor]") -> str:
    """The SHA-256 of all names, types, shapes and values, whatever the order; 250 MB take some 0.2 s."""
    import torch

    total = hashlib.sha256()
    for name, weight in sorted(weights.items()):
        total.update(json.dumps([name, str(weight.dtype), list(weight.shape)]).encode())
        total.update(weight.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _seal(entries: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps([entries.get(key) for key in SEALED]).encode()).hexdigest()


def _read_header(path: Path) -> dict[str, str]:
    """The metadata in a safetensors header: 8 bytes of length, then JSON (safetensors format description)."""
    hint = "give a file made by geoseg train"
    if not path.exists():
        raise BundleError(f"there is no model {path}", hint)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            metadata: Any = json.loads(file.read(min(length, MAX_HEADER))).get("__metadata__") or {}
    except (OSError, ValueError, AttributeError, RecursionError):
        raise BundleError(f"{path} is no geoseg model, or it is damaged", hint) from None
    if not isinstance(metadata, dict) or "card" not in metadata:
        raise BundleError(f"{path} is a safetensors file, but no geoseg model", hint)
    if metadata.get("format") != FORMAT:
        raise BundleError(f"{path} was made by another version of geoseg, or it is damaged", "make it again")
    if metadata.get("seal") != _seal(metadata):
        raise BundleError(f"{path} is damaged, or its card was edited", CORRUPT_HINT)
    return dict(metadata)


def _read_weights(path: str | Path, expected: str) -> "dict[str, Tensor]":
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        weights: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise BundleError(f"{path} is damaged: {_first_line(error)}", CORRUPT_HINT) from None
    if weights_digest(weights) != expected:
        raise BundleError(f"{path} is damaged: its weights are not those it was saved with", CORRUPT_HINT)
    return weights


def _network(path: str | Path, card: ModelCard, weights: "Mapping[str, Tensor]") -> "SegmentationNetwork":
    """The network that the card describes, with these weights."""
    from geoseg.models.build import build_network

    model = card.model.model_copy(update={"pretrained": False})
    if not any(name.startswith("auxiliary.") for name in weights):
        model = model.model_copy(update={"auxiliary_weight": 0.0})
    try:
        network = build_network(model, bands=len(card.bands), classes=len(card.legend))
        network.load_state_dict(weights)
    except GeosegError as error:
        raise BundleError(f"the network of {path} cannot be built: {error.message}", error.hint) from error
    except RuntimeError as error:
        raise BundleError(
            f"{path}: weights and card contradict each other: {_first_line(error)}", "make it again"
        ) from None
    return network


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
