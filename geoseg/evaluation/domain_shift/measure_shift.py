"""``measure_gap``: how far a target lies from a source, told without labels: pixels, classes, confidence, features."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.bundle import Bundle, ModelCard, load
from geoseg.errors import ConfigError, SceneError
from geoseg.evaluation.domain_shift.domain_profile import CROPS, Look, look_at
from geoseg.evaluation.domain_shift.domains import side_of
from geoseg.progress import Progress, silent

QUANTILES = np.linspace(0, 1, 513)
"""Where two samples are compared."""


@dataclass(frozen=True)
class BandShift:
    """One band on both sides, in the scenes' units."""

    name: str
    """The band's."""
    source_mean: float
    source_std: float
    target_mean: float
    target_std: float
    distance: float | None
    """1-Wasserstein distance of the two distributions, in standard deviations of the source; None without samples."""

    @property
    def shift(self) -> float:
        """Difference of the means in standard deviations of the source."""
        return (self.target_mean - self.source_mean) / (self.source_std or 1.0)


@dataclass(frozen=True)
class Gap:
    """A source and a target beside each other."""

    target: Look
    """What is asked about."""
    source: Look | None
    """What it is compared with; None: with what the model's card remembers of its training."""
    card: ModelCard | None
    """The model's; None if only pixels are compared."""
    bands: tuple[BandShift, ...]
    """Every band on both sides."""

    @property
    def prior_shift(self) -> float | None:
        """Half the sum of differences of the classes' expected shares (total variation), 0 … 1; None without a source."""
        if self.source is None or self.source.probability is None or self.target.probability is None:
            return None
        return float(np.abs(self.source.shares - self.target.shares).sum() / 2)


def measure_gap(
    target: str,
    source: str | None = None,
    *,
    model: str | Path | Bundle | None = None,
    overrides: Sequence[str] = (),
    crops: int = CROPS,
    gsd: float | None = None,
    device: str = "auto",
    progress: Progress = silent,
) -> Gap:
    """The gap between two datasets, splits or sets of scenes (:func:`~geoseg.evaluation.domain_shift.domains.side_of`).

    Without a ``source``, the ``model``'s card and the statistics of its norms stand for its training data. Without a
    ``model``, only pixels are compared. No labels are read. :class:`ConfigError` without both.
    """
    if source is None and model is None:
        raise ConfigError("there is nothing to compare with", "name a second side, or a model: --model")
    bundle = model if isinstance(model, Bundle) or model is None else load(model)
    sides = [side_of(word, overrides) for word in (source, target) if word is not None]
    looks = [look_at(side, bundle, crops=crops, gsd=gsd, device=device, progress=progress) for side in sides]
    before, after = (looks[0] if source is not None else None), looks[-1]
    if before is not None and len(before.bands) != len(after.bands):
        said = f"{before.name} has {len(before.bands)} bands, {after.name} has {len(after.bands)}"
        raise SceneError(said, "name a model, which chooses bands: --model")
    card = None if bundle is None else bundle.card
    return Gap(after, before, card, _band_shifts(after, before, card))


def gap_json(gap: Gap) -> dict[str, Any]:
    """Every number of a gap."""
    looks = {"source": gap.source, "target": gap.target}
    return {
        **{role: look.name if look is not None else "the model's training data" for role, look in looks.items()},
        "prior_shift": gap.prior_shift,
        "bands": [{**vars(band), "shift": band.shift} for band in gap.bands],
        **{f"{role}_look": _look_json(look, gap.card) for role, look in looks.items() if look is not None},
    }


def mean_level(counts: NDArray[np.int64]) -> float:
    """The mean of what was counted in steps of 1/254."""
    return float(counts @ np.arange(len(counts)) / (counts.sum() * (len(counts) - 1)))


def wasserstein(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """1-Wasserstein distance of two samples: the mean distance of their quantiles."""
    return float(np.abs(np.quantile(one, QUANTILES) - np.quantile(other, QUANTILES)).mean())


def _band_shifts(target: Look, source: Look | None, card: ModelCard | None) -> tuple[BandShift, ...]:
    after = target.sample
    if source is None:
        assert card is not None
        known = zip(card.mean, card.std, strict=True)
        return tuple(
            BandShift(name, mean, std, float(after[:, i].mean()), float(after[:, i].std()), None)
            for i, (name, (mean, std)) in enumerate(zip(target.bands, known, strict=True))
        )
    before = source.sample
    return tuple(_band_shift(name, before[:, i], after[:, i]) for i, name in enumerate(target.bands))


def _band_shift(name: str, before: NDArray[np.float64], after: NDArray[np.float64]) -> BandShift:
    mean, std = float(before.mean()), float(before.std())
    apart = wasserstein(before, after) / (std or 1.0)
    return BandShift(name, mean, std, float(after.mean()), float(after.std()), apart)


def _look_json(look: Look, card: ModelCard | None) -> dict[str, Any]:
    found: dict[str, Any] = {"windows": look.windows}
    if look.probability is not None and card is not None:
        found["class_shares"] = dict(zip(card.legend.names, look.shares.tolist(), strict=True))
        found["mean_confidence"], found["mean_entropy"] = mean_level(look.confidence), mean_level(look.entropy)
        found["confidence"], found["entropy"] = look.confidence.tolist(), look.entropy.tolist()
        found["norm_distance"] = float(np.mean(list(look.norms.values()))) if look.norms else None
        found["norm_distances"] = look.norms
    return found
