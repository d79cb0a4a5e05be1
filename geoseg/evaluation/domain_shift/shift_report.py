"""Write the HTML report of a domain shift: charts, tables and images that compare the source and the target."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geoseg._output_files import check_writable
from geoseg._text import percent
from geoseg.evaluation.domain_shift.measure_shift import DomainShift, mean_level, shift_to_dict
from geoseg.evaluation.report.charts import Chart, histogram, line_chart
from geoseg.evaluation.report.render import Bar, ClassName, View, render_page, render_section
from geoseg.evaluation.write_scores import write_text

if TYPE_CHECKING:
    from geoseg.evaluation.domain_shift.domain_profile import DomainProfile

BINS = 51
"""Number of bins in each histogram; a divisor of 255."""


def write_shift_report(shift: DomainShift, output: str | Path) -> Path:
    """Write the HTML report and a JSON file with the same stem, replacing existing files.

    Args:
        shift: The domain shift.
        output: Path of the HTML report.

    Returns:
        Path of the HTML report.
    """
    page = Path(output)
    write_text(page.with_suffix(".json"), json.dumps(shift_to_dict(shift), indent=1) + "\n")
    write_text(page, render_shift_report(shift))
    return page


def check_shift_report(output: str | Path, *, overwrite: bool) -> None:
    """Raise :class:`OutputError` before the measurement starts if a report file cannot be written."""
    for path in (Path(output), Path(output).with_suffix(".json")):
        check_writable(path, overwrite)


def render_shift_report(shift: DomainShift) -> str:
    """Render the complete page."""
    source = "the model's training data" if shift.source is None else shift.source.name
    windows = " and ".join(f"{profile.windows} windows of {profile.name}" for profile in _profiles(shift))
    sections = [render_section(name, template, view(shift)) for name, (template, view) in SECTIONS.items()]
    return render_page(
        f"{shift.target.name} compared with {source}", f"Compared: {windows}. Labels are not used.", sections
    )


def summary_view(shift: DomainShift) -> View:
    """Return one tile for each kind of difference, and a verdict in words."""
    tiles = [
        (f"{max(band.size for band in shift.bands):.2f}",
         "largest difference in a band, in standard deviations of the source"),
    ]  # fmt: skip
    if shift.prior_shift is not None:
        tiles.append((f"{100 * shift.prior_shift:.1f}%", "difference in class fractions (total variation distance)"))
    profiles = _predicted_profiles(shift)
    if profiles:
        confidence = " → ".join(f"{100 * mean_level(profile.confidence):.1f}" for profile in profiles)
        suffix = " (source → target)" if len(profiles) > 1 else ""
        tiles.append((confidence, f"mean confidence in percent{suffix}"))
    if profiles and all(profile.batchnorm for profile in profiles):
        distance = " → ".join(f"{_mean(profile.batchnorm):.2f}" for profile in profiles)
        tiles.append((distance, "feature distance from training, in standard deviations"))
    return {"tiles": tiles, "verdict": "".join([_band_verdict(shift), *_model_verdict(shift)])}


def pixels_view(shift: DomainShift) -> View:
    """Return the distribution of each band, and its mean, standard deviation, shift, and distance between the domains."""
    rows = [
        [
            band.name,
            *(f"{x:.4g}" for x in (band.source_mean, band.source_std, band.target_mean, band.target_std)),
            f"{band.shift:+.2f}",
            "–" if band.distance is None else f"{band.distance:.2f}",
        ]
        for band in shift.bands
    ]
    header = ["band", "source mean", "source std", "target mean", "target std", "shift", "distance"]
    return {"header": header, "rows": rows, "charts": [_band_chart(shift, i) for i in range(len(shift.bands))]}


def confidence_view(shift: DomainShift) -> View | None:
    """Return the histograms of confidence and entropy; None if there is no model."""
    profiles = _predicted_profiles(shift)
    if not profiles:
        return None
    edges = np.linspace(0, 1, BINS + 1).tolist()
    confidence = {profile.name: _bin_levels(profile.confidence) for profile in profiles}
    entropy = {profile.name: _bin_levels(profile.entropy) for profile in profiles}
    return {
        "charts": [
            histogram(confidence, edges, x="probability of the predicted class", y="fraction of pixels"),
            histogram(entropy, edges, x="normalized entropy: 0 is certain, 1 is uniform", y="fraction of pixels"),
        ]
    }


def classes_view(shift: DomainShift) -> View | None:
    """Return the expected fraction of each class; None if there is no model."""
    profiles = _predicted_profiles(shift)
    if not profiles or shift.card is None:
        return None
    rows = []
    for entry in shift.card.legend.entries:
        shares = [float(profile.class_shares[entry.index]) for profile in profiles]
        rows.append([ClassName(entry.name, entry.hex), [Bar(s, percent(s), n) for n, s in enumerate(shares)]])
    return {"names": [profile.name for profile in profiles], "header": ["class", "share"], "rows": rows}


def features_view(shift: DomainShift) -> View | None:
    """Return the distance of each layer's statistics from those in training; None if there are no such layers."""
    series = {
        profile.name: list(enumerate(map(float, profile.batchnorm.values())))
        for profile in _profiles(shift)
        if profile.batchnorm
    }
    if not series:
        return None
    highest = max(distance for points in series.values() for _, distance in points)
    return {"chart": line_chart(series, x="layer", y="distance", y_range=(0, 1.05 * highest or 1))}


def samples_view(shift: DomainShift) -> View:
    """Return the profiles, which contain images of some windows of each domain."""
    return {"profiles": _profiles(shift)}


SECTIONS: dict[str, tuple[str, Callable[[DomainShift], View | None]]] = {
    "Summary": ("shift_summary.html.j2", summary_view),
    "Pixels": ("shift_pixels.html.j2", pixels_view),
    "Confidence": ("shift_confidence.html.j2", confidence_view),
    "Classes": ("shift_classes.html.j2", classes_view),
    "Features": ("shift_features.html.j2", features_view),
    "Samples": ("shift_samples.html.j2", samples_view),
}
"""Template and view function of each section, keyed by its heading, in page order."""


def _profiles(shift: DomainShift) -> "list[DomainProfile]":
    """Return the profiles of the source and the target, or of the target only."""
    return [profile for profile in (shift.source, shift.target) if profile is not None]


def _predicted_profiles(shift: DomainShift) -> "list[DomainProfile]":
    return [profile for profile in _profiles(shift) if profile.probability is not None]


def _band_verdict(shift: DomainShift) -> str:
    """Describe the band that differs most."""
    band = max(shift.bands, key=lambda each: each.size)
    direction = "higher" if band.shift > 0 else "lower"
    text = f"Band {band.name} differs most: its mean is {abs(band.shift):.2f} standard deviations {direction} in the target"
    return f"{text}. " if band.distance is None else f"{text}, and the Wasserstein distance is {band.distance:.2f}. "


def _model_verdict(shift: DomainShift) -> list[str]:
    """Describe the differences in confidence, classes and features."""
    source, target = shift.source, shift.target
    if source is None or source.probability is None or shift.card is None:
        return []
    loss = mean_level(source.confidence) - mean_level(target.confidence)
    direction = "lower" if loss > 0 else "higher"
    text = [f"The mean confidence is {abs(100 * loss):.1f} percentage points {direction} in the target. "]
    before, after = 100 * source.class_shares, 100 * target.class_shares
    index = int(np.abs(after - before).argmax())
    name = shift.card.legend.names[index]
    text.append(f"The class fraction of {name} differs most: {after[index]:.1f}% instead of {before[index]:.1f}%. ")
    if source.batchnorm and target.batchnorm:
        times = _mean(target.batchnorm) / max(_mean(source.batchnorm), 1e-9)
        text.append(f"The features are {times:.1f} times as far from the training statistics as in the source.")
    return text


def _band_chart(shift: DomainShift, index: int) -> Chart | None:
    samples = {profile.name: profile.sample[:, index] for profile in _profiles(shift)}
    low, high = (np.quantile(np.concatenate([*samples.values()]), share) for share in (0.002, 0.998))
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    shares = {name: _to_shares(np.histogram(sample, edges)[0]) for name, sample in samples.items()}
    return histogram(shares, edges.tolist(), x=shift.bands[index].name, y="fraction of pixels")


def _bin_levels(counts: NDArray[np.int64]) -> list[float]:
    """Return the fraction of pixels in each bin; a bin covers five levels."""
    return _to_shares(counts.reshape(BINS, -1).sum(axis=1))


def _to_shares(counts: NDArray[np.int64]) -> list[float]:
    shares: list[float] = (counts / max(int(counts.sum()), 1)).tolist()
    return shares


def _mean(distances: Mapping[str, float]) -> float:
    return float(np.mean(list(distances.values()))) if distances else math.nan
