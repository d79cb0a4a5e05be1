"""Named evaluation protocols: which pixels count, how often, and which classes are included in the means.

The same prediction can score 78% under one protocol and 86% under another, so every score is reported with the name of
its protocol. A protocol defines only how pixels are counted; how masks were predicted is recorded with the scores. The
sizes and positions of published patches come from :mod:`geoseg.grid.patch_positions`, which is also used in training.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from geoseg._text import did_you_mean, join_names
from geoseg.data.datasets._isprs import LabelKind
from geoseg.errors import ConfigError
from geoseg.grid.patch_positions import PatchRule, patch_windows
from geoseg.grid.window import Window
from geoseg.legend import Legend
from geoseg.registry import current_name

ISPRS = frozenset({"potsdam", "vaihingen", "isprs_shift"})
LOVEDA = frozenset({"loveda"})
ISAID = frozenset({"isaid"})
"""Names of datasets whose published scores follow the protocols below."""


@dataclass(frozen=True)
class Protocol:
    """Definition of how pixels are counted, and over which classes scores are averaged."""

    name: str
    """Name on the command line and in outputs."""
    text: str
    """Short description."""
    datasets: frozenset[str] = frozenset()
    """Datasets that the protocol applies to; empty for any dataset."""
    labels: LabelKind | None = None
    """Kind of ISPRS labels to compare with; None to use the scene's own labels."""
    patches: PatchRule | None = None
    """Published patches to count pixels in; a pixel counts once per patch that contains it. None to count pixels once."""
    excluded_classes: tuple[str, ...] = ()
    """Classes excluded from all means. Their pixels still count as errors of other classes."""
    domain: str | None = None
    """Domain of the included scenes; None for all domains."""
    scene_prefix: str = ""
    """Prefix of the names of the included scenes."""

    def includes_scene(self, name: str, groups: Mapping[str, str]) -> bool:
        """Return True if the protocol includes a scene with this name and these groups."""
        return name.startswith(self.scene_prefix) and self.domain in (None, groups.get("domain"))

    def windows(self, height: int, width: int) -> list[Window]:
        """Return the counted windows of a scene; they may overlap and may extend beyond the scene."""
        return (
            [Window(0, 0, height, width)] if self.patches is None else list(patch_windows(height, width, self.patches))
        )

    def excluded_indices(self, legend: Legend) -> list[int]:
        """Return the indices of the classes excluded from all means."""
        return [legend.index_of(name) for name in self.excluded_classes]


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("scenes", "every labeled pixel of whole scenes once, all classes"),
        Protocol(
            "openmmlab",
            "512-pixel patches of OpenMMLab's converter (overlaps count twice), labels without boundaries, six classes",
            ISPRS, labels="no_boundary", patches="isprs",
        ),
        Protocol(
            "isprs-eroded-5",
            "whole scenes, labels without boundaries; means over five classes, without clutter",
            ISPRS, labels="no_boundary", excluded_classes=("clutter",),
        ),
        Protocol("isprs-full", "whole scenes, full labels, six classes", ISPRS, labels="full"),
        Protocol("loveda-val", "validation images of both domains, seven classes", LOVEDA, scene_prefix="val/"),
        Protocol(
            "loveda-urban", "urban validation images, seven classes", LOVEDA, domain="urban", scene_prefix="val/"
        ),
        Protocol(
            "loveda-rural", "rural validation images, seven classes", LOVEDA, domain="rural", scene_prefix="val/"
        ),
        Protocol(
            "isaid-crops",
            "896-pixel crops of OpenMMLab's converter, every 512 pixels (overlaps count repeatedly), 16 classes",
            ISAID, patches="isaid",
        ),
        Protocol(
            "isaid-scene-15", "whole images; means over 15 classes, without background", ISAID,
            excluded_classes=("background",),
        ),
    )
}  # fmt: skip
"""All protocols, keyed by name; by default, the first one is the primary protocol."""

SCENES = PROTOCOLS["scenes"]
"""Protocol that counts every labeled pixel of whole scenes once; part of every evaluation."""

RENAMED_PROTOCOLS = {"zoo": "openmmlab"}
"""Old names, accepted with a warning for one release."""


def select_protocols(dataset: str, names: Sequence[str] = (), *, legend: Legend | None = None) -> tuple[Protocol, ...]:
    """Select protocols by name, or all protocols of a dataset; ``scenes`` is always one of them.

    Args:
        dataset: Name of the dataset; empty for files of unknown origin, for which any protocol is allowed.
        names: Names of the protocols, the primary one first; empty for all protocols of the dataset.
        legend: Classes that the protocols must apply to; None to skip this check.

    Raises:
        ConfigError: If a name is unknown, or its protocol does not apply to the dataset or the legend.
    """
    names = [current_name("protocol", name, RENAMED_PROTOCOLS) for name in names]
    for name in names:
        if name not in PROTOCOLS:
            raise ConfigError(f"unknown protocol {name!r}", did_you_mean(name, PROTOCOLS))
        _require_applicable(PROTOCOLS[name], dataset, legend)
    selected = names or [name for name, protocol in PROTOCOLS.items() if dataset in protocol.datasets]
    return tuple(dict.fromkeys([*(PROTOCOLS[name] for name in names), SCENES, *(PROTOCOLS[name] for name in selected)]))


def filter_by_labels(protocols: Collection[Protocol], kinds: Collection[str]) -> tuple[Protocol, ...]:
    """Return the protocols that can use any kind of labels, or need one of the available ``kinds``."""
    return tuple(protocol for protocol in protocols if protocol.labels is None or protocol.labels in kinds)


def _require_applicable(protocol: Protocol, dataset: str, legend: Legend | None) -> None:
    if dataset and protocol.datasets and dataset not in protocol.datasets:
        others = join_names(name for name, each in PROTOCOLS.items() if not each.datasets or dataset in each.datasets)
        raise ConfigError(f"protocol {protocol.name} does not apply to the dataset {dataset}", f"use one of {others}")
    missing = [name for name in protocol.excluded_classes if legend is not None and name not in legend.names]
    if missing:
        raise ConfigError(
            f"protocol {protocol.name} ignores class {missing[0]}, but the legend has no such class",
            "masks written by geoseg predict contain their class names",
        )
