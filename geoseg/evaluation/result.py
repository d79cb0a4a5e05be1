"""What counting gives: tallies of scenes, the classes they are about, and the protocols they were counted by."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any, TypeVar

from geoseg.errors import DataError
from geoseg.evaluation.accumulate_counts import Judged, Tally, Wishes
from geoseg.evaluation.objects import ObjectCounts
from geoseg.evaluation.protocols import Protocol
from geoseg.legend import Legend
from geoseg.metrics import ConfusionMatrix
from geoseg.metrics.bootstrap import intervals
from geoseg.metrics.boundary import BoundaryCounts
from geoseg.metrics.calibration import Calibration
from geoseg.metrics.scores import summary
from geoseg.raster.scene import Scene

Counts = TypeVar("Counts", ConfusionMatrix, BoundaryCounts, ObjectCounts, Calibration)


@dataclass(frozen=True)
class Seen:
    """A scene that was counted, while its files are still open: for whoever draws it."""

    judged: Judged
    """Readers of prediction and reference."""
    legend: Legend
    """The classes."""
    tally: Tally
    """What was counted."""
    image: Scene | None = None
    """The scene itself, where there is one."""
    bands: tuple[str, ...] | None = None
    """Names of the image's bands, as the owner publishes them; None: as the file names them."""


Watch = Callable[[Seen], None]
"""Looks at each scene after it was counted."""


def nobody(_seen: Seen) -> None:
    """The default: nobody watches."""


@dataclass(frozen=True)
class SceneTally:
    """One scene with what was counted of it."""

    name: str
    """The scene's."""
    tally: Tally
    """Its counts."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Its domain."""


@dataclass(frozen=True)
class Evaluation:
    """Scenes that were counted, with what they have in common."""

    legend: Legend
    """Classes in the order of the counts' rows and columns."""
    scenes: tuple[SceneTally, ...]
    """In the order they were counted."""
    wishes: Wishes = field(default_factory=Wishes)
    """What was counted, and by which protocols."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What was judged: model or masks, data, split, how it was predicted; for JSON."""

    @property
    def protocols(self) -> tuple[Protocol, ...]:
        """Those under which anything was counted; the first is the one whose numbers stand on top."""
        return tuple(p for p in self.wishes.protocols if any(p.name in scene.tally.counts for scene in self.scenes))

    @property
    def protocol(self) -> Protocol:
        """The one whose numbers stand on top."""
        return self.protocols[0]

    @property
    def total(self) -> ConfusionMatrix:
        """All scenes added up, by the first protocol."""
        return self.counts(self.protocol)

    def by_scene(self, protocol: Protocol, domain: str | None = None) -> dict[str, ConfusionMatrix]:
        """Counts by name of the scene; of one domain, if one is named."""
        return {
            scene.name: scene.tally.counts[protocol.name]
            for scene in self.scenes
            if protocol.name in scene.tally.counts and domain in (None, scene.groups.get("domain"))
        }

    def counts(self, protocol: Protocol, domain: str | None = None) -> ConfusionMatrix:
        """The counts of all scenes, or of one domain's, added up."""
        return reduce(add, self.by_scene(protocol, domain).values(), ConfusionMatrix(len(self.legend)))

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains, if there is more than one."""
        found = sorted({scene.groups["domain"] for scene in self.scenes if "domain" in scene.groups})
        return tuple(found) if len(found) > 1 else ()

    def scores(self, protocol: Protocol, domain: str | None = None) -> dict[str, float]:
        """Every score of all classes together; see :func:`~geoseg.metrics.scores.summary`."""
        return summary(self.counts(protocol, domain), protocol.left_out_of(self.legend))

    def intervals(self, protocol: Protocol, domain: str | None = None) -> dict[str, tuple[float, float]]:
        """95 % intervals of :meth:`scores`, by drawing scenes; empty for a single scene."""
        left_out = protocol.left_out_of(self.legend)
        return intervals(list(self.by_scene(protocol, domain).values()), lambda counts: summary(counts, left_out))

    @property
    def boundary(self) -> BoundaryCounts | None:
        """Of all scenes; None if borders were not looked at."""
        return _sum(scene.tally.boundary for scene in self.scenes)

    @property
    def objects(self) -> ObjectCounts | None:
        """Of all scenes; None if objects were not counted."""
        return _sum(scene.tally.objects for scene in self.scenes)

    @property
    def calibration(self) -> Calibration | None:
        """Of all scenes; None without confidences."""
        return _sum(scene.tally.calibration for scene in self.scenes)

    def require_labelled(self, where: str, hint: str) -> None:
        """:class:`DataError` if no pixel of any scene is labelled."""
        if not self.total.in_reference.any():
            raise DataError(f"no pixel of {where} is labelled", hint)


def _sum(parts: Iterable[Counts | None]) -> Counts | None:
    there = [part for part in parts if part is not None]
    return reduce(add, there) if there else None
