"""Result of an evaluation: counts per scene, the legend, and the scores computed from them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from html import escape
from operator import add
from typing import Any, TypeVar

from geoseg._text import percent
from geoseg.errors import DataError
from geoseg.evaluation.accumulate_counts import CountOptions, SceneCounts, ScenePair
from geoseg.evaluation.objects import ObjectCounts
from geoseg.evaluation.protocols import Protocol
from geoseg.legend import Legend
from geoseg.metrics import ConfusionMatrix
from geoseg.metrics.bootstrap import bootstrap_intervals
from geoseg.metrics.boundary import BoundaryCounts
from geoseg.metrics.calibration import Calibration
from geoseg.metrics.remarks import (
    describe_constant_prediction,
    describe_uncounted_pixels,
    describe_unlabeled_classes,
)
from geoseg.metrics.scores import summarize_scores
from geoseg.raster.scene import Scene

Counts = TypeVar("Counts", ConfusionMatrix, BoundaryCounts, ObjectCounts, Calibration)


@dataclass(frozen=True)
class SceneContext:
    """An evaluated scene whose files are still open; passed to a :data:`SceneCallback`."""

    pair: ScenePair
    """Readers for the prediction and the reference."""
    legend: Legend
    """Classes of the prediction and the reference."""
    counts: SceneCounts
    """Counts of the scene."""
    image: Scene | None = None
    """The scene's image, if there is one."""
    bands: tuple[str, ...] | None = None
    """Names of the image's bands according to the dataset; None to use those in the file."""


SceneCallback = Callable[[SceneContext], None]
"""Called after each scene, for example to draw figures."""


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Counts of all evaluated scenes, and scores computed from them."""

    legend: Legend
    """Classes in the order of rows and columns of the counts."""
    scenes: tuple[SceneCounts, ...]
    """Counts per scene, in order of evaluation."""
    options: CountOptions = field(default_factory=CountOptions)
    """What was counted, and under which protocols."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Provenance for JSON: the model or masks, data, split and prediction options."""

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """Protocols that include at least one scene, the primary one first."""
        return tuple(p for p in self.options.protocols if any(p.name in scene.by_protocol for scene in self.scenes))

    @property
    def protocol(self) -> Protocol:
        """The primary protocol."""
        return self.protocols[0]

    @property
    def total(self) -> ConfusionMatrix:
        """Sum of the counts of all scenes under the primary protocol."""
        return self.counts(self.protocol)

    def counts_by_scene(self, protocol: Protocol, domain: str | None = None) -> dict[str, ConfusionMatrix]:
        """Return the counts keyed by scene name.

        Args:
            protocol: Protocol that the pixels were counted under.
            domain: Domain of the scenes; None for all scenes.
        """
        return {
            scene.name: scene.by_protocol[protocol.name]
            for scene in self.scenes
            if protocol.name in scene.by_protocol and domain in (None, scene.groups.get("domain"))
        }

    def counts(self, protocol: Protocol, domain: str | None = None) -> ConfusionMatrix:
        """Return the summed counts of all scenes, or of one domain's scenes."""
        return reduce(add, self.counts_by_scene(protocol, domain).values(), ConfusionMatrix(len(self.legend)))

    @property
    def domains(self) -> tuple[str, ...]:
        """Sorted names of the domains; empty if there are fewer than two."""
        names = sorted({scene.groups["domain"] for scene in self.scenes if "domain" in scene.groups})
        return tuple(names) if len(names) > 1 else ()

    def scores(self, protocol: Protocol, domain: str | None = None) -> dict[str, float]:
        """Return all overall scores, keyed by name; see :func:`~geoseg.metrics.scores.summarize_scores`."""
        return summarize_scores(self.counts(protocol, domain), protocol.excluded_indices(self.legend))

    def intervals(self, protocol: Protocol, domain: str | None = None) -> dict[str, tuple[float, float]]:
        """Return 95% bootstrap confidence intervals of :meth:`scores`, resampled by scene; empty for a single scene."""
        excluded = protocol.excluded_indices(self.legend)
        matrices = list(self.counts_by_scene(protocol, domain).values())
        return bootstrap_intervals(matrices, lambda counts: summarize_scores(counts, excluded))

    @property
    def boundary(self) -> BoundaryCounts | None:
        """Boundary counts of all scenes; None if boundaries are not scored."""
        return _sum(scene.boundary for scene in self.scenes)

    @property
    def objects(self) -> ObjectCounts | None:
        """Object counts of all scenes; None if objects are not counted."""
        return _sum(scene.objects for scene in self.scenes)

    @property
    def calibration(self) -> Calibration | None:
        """Accuracy as a function of confidence over all scenes; None if there is no confidence."""
        return _sum(scene.calibration for scene in self.scenes)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on pixels that are not counted, a constant prediction, and classes for which a split has no labels."""
        counts, names = self.total, self.legend.names
        split = self.about.get("split")
        return (
            *describe_uncounted_pixels(counts),
            *describe_constant_prediction(counts, names),
            *(describe_unlabeled_classes(counts.in_reference.tolist(), names, f"the split {split!r}") if split else ()),
        )

    def require_labelled(self, source: str, hint: str) -> None:
        """Raise :class:`DataError` if no pixel of any scene is labeled."""
        if not self.total.in_reference.any():
            raise DataError(f"no pixel of {source} is labeled", hint)

    def __repr__(self) -> str:
        if not self.scenes:
            return "Evaluation(0 scenes)"
        rows = self._iou_rows()
        width = max(len(name) for name, _ in rows)
        scenes = f"{len(self.scenes)} scene{'s' if len(self.scenes) > 1 else ''}"
        lines = [f"  {name.ljust(width)}  {iou:>6}" for name, iou in rows]
        return "\n".join([f"Evaluation({scenes}, protocol {self.protocol.name!r}, IoU in percent)", *lines])

    def _repr_html_(self) -> str:
        """Return the IoU per class as an HTML table for notebooks."""
        if not self.scenes:
            return "<p>Evaluation of no scenes</p>"
        body = "".join(f"<tr><td>{escape(name)}</td><td>{iou}</td></tr>" for name, iou in self._iou_rows())
        caption = escape(f"Protocol {self.protocol.name}: {self.protocol.text}")
        head = "<tr><th>class</th><th>IoU in percent</th></tr>"
        return f"<table><caption>{caption}</caption><thead>{head}</thead><tbody>{body}</tbody></table>"

    def _iou_rows(self) -> list[tuple[str, str]]:
        """Return the mean IoU and the IoU of each class in percent."""
        mean_iou, iou = self.scores(self.protocol)["mean_iou"], self.total.iou().tolist()
        return [("mean IoU", percent(mean_iou)), *zip(self.legend.names, map(percent, iou), strict=True)]


def _sum(parts: Iterable[Counts | None]) -> Counts | None:
    counts = [part for part in parts if part is not None]
    return reduce(add, counts) if counts else None
