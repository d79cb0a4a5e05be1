"""Bundles: safetensors files with the weights of a network and a model card.

The card is stored as JSON in the header of the file. It can be read without torch and without reading the weights, and
loading a bundle does not run code from it. Prediction needs only the bundle, not the recipe or the training data.
Digests of the card and the weights in the header detect corrupted and edited files; they do not protect against
forgery.
"""

import contextlib
import hashlib
import html
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from geoseg._output_files import PIPE_HINT, atomic_path, is_pipe, output_errors
from geoseg._text import percent
from geoseg.errors import BundleError, ConfigError, OutputError
from geoseg.model_card import ModelCard

if TYPE_CHECKING:
    from torch import Tensor

    from geoseg.models.network import SegmentationNetwork

FORMAT = "geoseg-bundle-2"
"""Format version, which is increased whenever older versions of geoseg cannot read the file."""

SEALED_ENTRIES = ("format", "card", "weights")
"""Entries of the header from which its seal is computed; ``weights`` is the digest of the weights."""

MAX_HEADER_BYTES = 100_000_000
"""Maximum header size of the safetensors format."""

DAMAGED_HINT = "copy it again from an undamaged source, or create it again"

BEST_NAME = "best.safetensors"
"""File name of the best bundle in the folder of a training run."""

LATEST_NAME = "latest"
"""Name of the link (or text file) that points to the newest run, in the folder that contains the runs."""


@dataclass(frozen=True)
class Bundle:
    """A network with a model card.

    Example:
        Load a bundle and save a copy::

            bundle = geoseg.load("runs/latest/best.safetensors")
            print(bundle)
            bundle.save("model.safetensors")
    """

    network: "SegmentationNetwork"
    """The network in evaluation mode."""
    card: ModelCard
    """The model card."""
    source: str = ""
    """File from which the bundle was loaded; empty if it was not loaded from a file."""

    def __repr__(self) -> str:
        lines = (f"  {name}: {value}" for name, value in self._facts().items())
        return "\n".join([f"Bundle {self.source!r}", *lines])

    def _repr_html_(self) -> str:
        """Return a table of the properties, with the colors and scores of the classes, for notebooks."""
        facts = {"source": self.source, **self._facts()}
        rows = [f"<tr><th>{name}</th><td>{html.escape(value)}</td></tr>" for name, value in facts.items()]
        for entry in self.card.legend.entries:
            iou = self.card.scores.get(f"iou {entry.name}")
            score = "" if iou is None else f"IoU {percent(iou)}%"
            swatch = f'<span style="background:{entry.hex}">&emsp;</span>'
            rows.append(f"<tr><td>{swatch} {html.escape(entry.name)}</td><td>{score}</td></tr>")
        return f"<table>{''.join(rows)}</table>"

    def _facts(self) -> dict[str, str]:
        card = self.card
        scores = [f"{name} {score:.4g}" for name, score in card.scores.items() if not name.startswith("iou ")]
        return {
            "model": f"{card.model.backbone.name} + {card.model.head.name}",
            "classes": ", ".join(card.legend.names),
            "bands": f"{', '.join(card.bands)} ({card.dtype})",
            "GSD": "unknown" if card.gsd is None else f"{card.gsd:.3g} m",
            "tile": f"{card.tile} pixels, halo {card.halo}",
            "scores": (f"{', '.join(scores)} (protocol {card.protocol})") if scores else "none",
        }

    def save(self, path: str | Path) -> Path:
        """Write the bundle to a file; an existing file is replaced only once the new one is complete.

        Args:
            path: The file to write; its parent folder is created if missing.

        Returns:
            The path.

        Raises:
            OutputError: If the file cannot be written.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        path = Path(path)
        weights = {name: weight.detach().cpu().contiguous() for name, weight in self.network.state_dict().items()}
        try:
            with output_errors(path), atomic_path(path, fsync=True) as temporary:
                path.parent.mkdir(parents=True, exist_ok=True)
                save_file(weights, temporary, metadata=make_header(self.card.to_json(), digest_weights(weights)))
        except SafetensorError as error:  # raised by safetensors if the disk is full
            raise OutputError(f"{path} cannot be written: {_first_line(error)}", "free some space") from error
        return path

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu") -> Self:
        """Load a bundle.

        Args:
            path: The file.
            device: Device of the network.

        Raises:
            BundleError: If the file does not exist, is not a bundle, or is corrupted.
        """
        metadata = _read_header(Path(path))
        card = _parse_card(path, metadata["card"])
        network = _load_network(path, card, metadata["weights"])
        return cls(network.eval().to(device), card, str(path))


def load(path: str | Path, device: str = "cpu") -> Bundle:
    """Load a bundle; see :meth:`Bundle.load`."""
    return Bundle.load(path, device)


def read_card(path: str | Path) -> ModelCard:
    """Read the card of a bundle from the header of the file, without importing torch or reading the weights."""
    return _parse_card(path, _read_header(Path(path))["card"])


def digest_file(path: str | Path) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def make_header(card: str, weights: str) -> dict[str, str]:
    """Create the header entries of a bundle: format, card, digest of the weights, and a seal of all three.

    Args:
        card: The card as JSON.
        weights: Digest of the weights; see :func:`digest_weights`.
    """
    entries = {"format": FORMAT, "card": card, "weights": weights}
    return {**entries, "seal": _seal(entries)}


def digest_weights(weights: "Mapping[str, Tensor]") -> str:
    """Return the SHA-256 of all names, types, shapes and values, independent of their order; takes 0.2 s for 250 MB."""
    import torch

    total = hashlib.sha256()
    for name, weight in sorted(weights.items()):
        total.update(json.dumps([name, str(weight.dtype), list(weight.shape)]).encode())
        total.update(weight.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _seal(entries: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps([entries.get(key) for key in SEALED_ENTRIES]).encode()).hexdigest()


def _read_header(path: Path) -> dict[str, str]:
    """Read the metadata of a safetensors header: 8 bytes of length, then JSON (safetensors format)."""
    hint = "use a file written by geoseg train"
    if not path.exists():
        raise BundleError(f"the model {path} does not exist", hint)
    if is_pipe(path):
        raise BundleError(f"the model {path} is a pipe, not a file", PIPE_HINT)
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            metadata: Any = json.loads(file.read(min(length, MAX_HEADER_BYTES))).get("__metadata__") or {}
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise BundleError(f"{path} is not a geoseg model, or it is damaged", hint) from error
    if not isinstance(metadata, dict) or "card" not in metadata:
        raise BundleError(f"{path} is a safetensors file, but not a geoseg model", hint)
    if metadata.get("format") != FORMAT:
        raise BundleError(f"{path} was written by a different version of geoseg, or it is damaged", "create it again")
    if metadata.get("seal") != _seal(metadata):
        raise BundleError(f"{path} is damaged, or its card was edited", DAMAGED_HINT)
    return dict(metadata)


def _parse_card(path: str | Path, text: str) -> ModelCard:
    try:
        return ModelCard.from_json(text)
    except BundleError as error:
        raise BundleError(f"{path} is not a usable model: {error.message}", error.hint) from error


def _load_network(path: str | Path, card: ModelCard, digest: str) -> "SegmentationNetwork":
    """Build the network of a card and load its weights, once names and shapes in the file are those of the network."""
    from geoseg.models.meta_network import build_meta_network, find_difference, load_weights

    model, shapes = card.model, _read_shapes(path)
    if not any(name.startswith("auxiliary.") for name in shapes):
        model = model.model_copy(update={"auxiliary_weight": 0.0})
    size = {"bands": len(card.bands), "classes": len(card.legend)}
    try:
        network = build_meta_network(model, **size)
        if difference := find_difference(network, shapes):
            raise BundleError(f"the weights of {path} do not match its card: {difference}", DAMAGED_HINT)
        return load_weights(network, model, _read_weights(path, digest), **size)
    except ConfigError as error:
        raise BundleError(f"the network of {path} cannot be built: {error.message}", error.hint) from error


def _read_shapes(path: str | Path) -> dict[str, list[int]]:
    """Read the shapes of all tensors from the header of the file, by name."""
    from safetensors import safe_open

    with _damage_errors(path), safe_open(path, "pt") as file:
        return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - not a mapping


def _read_weights(path: str | Path, expected: str) -> "dict[str, Tensor]":
    from safetensors.torch import load_file

    with _damage_errors(path):
        weights: dict[str, Tensor] = load_file(path)
    if digest_weights(weights) != expected:
        raise BundleError(f"{path} is damaged: its weights do not match their digest", DAMAGED_HINT)
    return weights


@contextlib.contextmanager
def _damage_errors(path: str | Path) -> Iterator[None]:
    """Convert errors of safetensors to :class:`BundleError`."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, OSError, ValueError) as error:
        raise BundleError(f"{path} is damaged: {_first_line(error)}", DAMAGED_HINT) from error


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
