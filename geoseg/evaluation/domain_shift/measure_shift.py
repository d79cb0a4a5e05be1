"""Measure the shift between a source and a target domain without labels: pixels, classes, confidence and features."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geoseg.bundle import Bundle, load, read_card
from geoseg.errors import ConfigError, SceneError
from geoseg.evaluation.domain_shift.domains import WINDOWS_PER_DOMAIN, resolve_domain
from geoseg.model_card import ModelCard
from geoseg.models.hardware_options import check_device_name
from geoseg.progress import Progress, silent

if TYPE_CHECKING:
    from geoseg.evaluation.domain_shift.domain_profile import DomainProfile

QUANTILES = np.linspace(0, 1, 513)
"""Quantile levels at which two samples are compared."""


@dataclass(frozen=True)
class BandShift:
    """Comparison of one band between the two domains, in the units of the scenes."""

    name: str
    """Name of the band."""
    source_mean: float
    """Mean in the source."""
    source_std: float
    """Standard deviation in the source."""
    target_mean: float
    """Mean in the target."""
    target_std: float
    """Standard deviation in the target."""
    distance: float | None
    """1-Wasserstein distance between the distributions, in standard deviations of the source; None if no source is given."""

    @property
    def shift(self) -> float:
        """Difference between the means, in standard deviations of the source."""
        return (self.target_mean - self.source_mean) / (self.source_std or 1.0)

    @property
    def size(self) -> float:
        """The distance, or the absolute shift if there is no distance."""
        return abs(self.shift) if self.distance is None else self.distance


@dataclass(frozen=True)
class DomainShift:
    """The profiles of a source and a target domain, and their differences."""

    target: "DomainProfile"
    """Profile of the target."""
    source: "DomainProfile | None"
    """Profile of the source; None to compare with the training statistics in the model card."""
    card: ModelCard | None
    """The model card; None if only pixels are compared."""
    bands: tuple[BandShift, ...]
    """Shift of each band."""

    @property
    def prior_shift(self) -> float | None:
        """Total variation distance between the expected class fractions, 0 to 1; None if the source or model is None."""
        if self.source is None or self.source.probability is None or self.target.probability is None:
            return None
        return float(np.abs(self.source.class_shares - self.target.class_shares).sum() / 2)


def measure_shift(
    target: str,
    source: str | None = None,
    *,
    model: str | Path | Bundle | None = None,
    overrides: Sequence[str] = (),
    crops: int = WINDOWS_PER_DOMAIN,
    gsd: float | None = None,
    device: str = "auto",
    progress: Progress = silent,
) -> DomainShift:
    """Measure the domain shift between two datasets, splits or sets of scenes.

    Args:
        target: The target domain: ``RECIPE:SPLIT``, ``PREPARED_FOLDER:SPLIT``, or scenes (a file, folder or pattern).
        source: Domain to compare with; None to use the training statistics stored in the model.
        model: Model file or loaded model whose predictions and features are compared; None to compare only pixels.
        overrides: Changes to recipes as ``section.key=value``.
        crops: Number of windows from each domain.
        gsd: Meters per pixel, for scenes without a CRS.
        device: Device to run the network on: auto, cpu, cuda or mps.
        progress: Reports the number of finished scenes in each domain.

    Returns:
        The profiles of both domains and their differences.

    Raises:
        ConfigError: If neither a source nor a model is given.
        SceneError: If the domains have different numbers of bands or too few valid pixels.

    Example:
        >>> import geoseg
        >>> shift = geoseg.measure_shift("east/*.tif", "west/*.tif")  # doctest: +SKIP
        >>> [band.shift for band in shift.bands]  # doctest: +SKIP
        [0.4, 0.1, -0.2]
    """
    if source is None and model is None:
        raise ConfigError("there is nothing to compare with", "specify a second domain, or a model with --model")
    check_device_name(device)
    if isinstance(model, str | Path):
        read_card(model)
    domains = [resolve_domain(name, overrides) for name in (source, target) if name is not None]
    for domain in domains:
        domain.require_readable()
    from geoseg.evaluation.domain_shift.domain_profile import profile_domain  # imports torch

    bundle = model if isinstance(model, Bundle) or model is None else load(model)
    *sources, target_profile = [
        profile_domain(domain, bundle, windows=crops, gsd=gsd, device=device, progress=progress) for domain in domains
    ]
    source_profile = sources[0] if sources else None
    if source_profile is not None and len(source_profile.bands) != len(target_profile.bands):
        raise SceneError(
            f"{source_profile.name} has {len(source_profile.bands)} bands, "
            f"{target_profile.name} has {len(target_profile.bands)}",
            "specify a model with --model; it selects the bands",
        )
    card = None if bundle is None else bundle.card
    return DomainShift(target_profile, source_profile, card, _band_shifts(target_profile, source_profile, card))


def shift_to_dict(shift: DomainShift) -> dict[str, Any]:
    """Return all measurements of a domain shift as a dictionary for JSON."""
    profiles = {"source": shift.source, "target": shift.target}
    return {
        **{role: each.name if each is not None else "the model's training data" for role, each in profiles.items()},
        "prior_shift": shift.prior_shift,
        "bands": [{**vars(band), "shift": band.shift} for band in shift.bands],
        **{f"{role}_look": _profile_to_dict(each, shift.card) for role, each in profiles.items() if each is not None},
    }


def mean_level(counts: NDArray[np.int64]) -> float:
    """Return the mean level, 0 to 1, of pixels counted in steps of 1/254."""
    return float(counts @ np.arange(len(counts)) / (counts.sum() * (len(counts) - 1)))


def wasserstein(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the 1-Wasserstein distance between two samples: the mean distance between their quantiles."""
    return float(np.abs(np.quantile(first, QUANTILES) - np.quantile(second, QUANTILES)).mean())


def _band_shifts(
    target: "DomainProfile", source: "DomainProfile | None", card: ModelCard | None
) -> tuple[BandShift, ...]:
    target_sample = target.sample
    if source is None:
        assert card is not None
        trained = zip(card.mean, card.std, strict=True)
        return tuple(
            BandShift(name, mean, std, float(target_sample[:, i].mean()), float(target_sample[:, i].std()), None)
            for i, (name, (mean, std)) in enumerate(zip(target.bands, trained, strict=True))
        )
    source_sample = source.sample
    return tuple(_band_shift(name, source_sample[:, i], target_sample[:, i]) for i, name in enumerate(target.bands))


def _band_shift(name: str, source: NDArray[np.float64], target: NDArray[np.float64]) -> BandShift:
    mean, std = float(source.mean()), float(source.std())
    distance = wasserstein(source, target) / (std or 1.0)
    return BandShift(name, mean, std, float(target.mean()), float(target.std()), distance)


def _profile_to_dict(profile: "DomainProfile", card: ModelCard | None) -> dict[str, Any]:
    content: dict[str, Any] = {"windows": profile.windows}
    if profile.probability is not None and card is not None:
        layers = list(profile.batchnorm.values())
        content["class_shares"] = dict(zip(card.legend.names, profile.class_shares.tolist(), strict=True))
        content["mean_confidence"], content["mean_entropy"] = map(mean_level, (profile.confidence, profile.entropy))
        content["confidence"], content["entropy"] = profile.confidence.tolist(), profile.entropy.tolist()
        content["norm_distance"] = float(np.mean(layers)) if layers else None
        content["norm_distances"] = profile.batchnorm
    return content
