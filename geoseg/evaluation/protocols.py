"""Protocols by name: which pixels of which scenes count, how often, and over which classes scores are averaged.

The same predictions read 78 under one protocol and 86 under another, so no number goes without the name of its own. A
protocol is about counting alone; how masks were predicted is told beside it. Sizes and places of published patches come
from :mod:`geoseg.grid.patches`, where training has them from, too.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from geoseg.data.datasets._isprs import LabelKind
from geoseg.errors import ConfigError, did_you_mean
from geoseg.grid.patches import Rule, cuts
from geoseg.grid.window import Window
from geoseg.legend import Legend

ISPRS = frozenset({"potsdam", "vaihingen", "isprs_shift"})
LOVEDA = frozenset({"loveda"})
ISAID = frozenset({"isaid"})
"""Names of datasets whose numbers are published under the protocols below."""


@dataclass(frozen=True)
class Protocol:
    """How pixels are counted."""

    name: str
    """What it is called on the command line and beside numbers."""
    text: str
    """The same in words, to be printed."""
    datasets: frozenset[str] = frozenset()
    """The datasets it is for; empty: for any."""
    labels: LabelKind | None = None
    """The kind of ISPRS labels it compares with; None: whatever the scenes have."""
    patches: Rule | None = None
    """Pixels count as often as published patches hold them; None: once."""
    left_out: tuple[str, ...] = ()
    """Classes that are in no mean. Their pixels count all the same: whoever predicts them is wrong elsewhere."""
    domain: str | None = None
    """The domain whose scenes alone count."""
    scenes: str = ""
    """How the names of its scenes begin."""

    def takes(self, name: str, groups: Mapping[str, str]) -> bool:
        """True if a scene of this name and these groups counts."""
        return name.startswith(self.scenes) and self.domain in (None, groups.get("domain"))

    def windows(self, height: int, width: int) -> list[Window]:
        """The windows of a scene that count, each as a whole; they may overlap, and reach outside the scene."""
        return [Window(0, 0, height, width)] if self.patches is None else list(cuts(height, width, self.patches))

    def left_out_of(self, legend: Legend) -> list[int]:
        """Indices of the classes that are in no mean."""
        return [legend.index_of(name) for name in self.left_out]


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol("scenes", "every labelled pixel of whole scenes once, all classes"),
        Protocol(
            "zoo",
            "patches of 512 as OpenMMLab's converter cuts them (overlaps twice), labels without borders, six classes",
            ISPRS, labels="no_boundary", patches="isprs",
        ),
        Protocol(
            "isprs-eroded-5",
            "whole scenes, labels without borders; means over five classes, without clutter",
            ISPRS, labels="no_boundary", left_out=("clutter",),
        ),
        Protocol("isprs-full", "whole scenes, full labels, six classes", ISPRS, labels="full"),
        Protocol("loveda-val", "the validation images of both domains, seven classes", LOVEDA, scenes="val/"),
        Protocol("loveda-urban", "urban validation images, seven classes", LOVEDA, domain="urban", scenes="val/"),
        Protocol("loveda-rural", "rural validation images, seven classes", LOVEDA, domain="rural", scenes="val/"),
        Protocol(
            "isaid-crops",
            "crops of 896 every 512 pixels as OpenMMLab's converter cuts them (overlaps again and again), 16 classes",
            ISAID, patches="isaid",
        ),
        Protocol(
            "isaid-scene-15", "whole images; means over 15 classes, without background", ISAID, left_out=("background",)
        ),
    )
}  # fmt: skip
"""Every protocol by its name; the first is the one whose numbers stand on top."""

SCENES = PROTOCOLS["scenes"]


def protocols_of(dataset: str, names: Sequence[str] = (), *, legend: Legend | None = None) -> tuple[Protocol, ...]:
    """The protocols by ``names``, else all that are for a dataset; ``scenes`` is always one of them.

    ``dataset`` is empty for files of unknown origin: their owner may name any protocol whose classes there are.
    :class:`ConfigError` for a name nobody knows and for a protocol of other data.
    """
    for name in names:
        if name not in PROTOCOLS:
            raise ConfigError(f"there is no protocol {name!r}", did_you_mean(name, PROTOCOLS))
        _require_for(PROTOCOLS[name], dataset, legend)
    chosen = names or [name for name, protocol in PROTOCOLS.items() if dataset in protocol.datasets]
    return tuple(dict.fromkeys([*(PROTOCOLS[name] for name in names), SCENES, *(PROTOCOLS[name] for name in chosen)]))


def for_kinds(protocols: Collection[Protocol], kinds: Collection[str]) -> tuple[Protocol, ...]:
    """Those whose kind of labels is among those there are."""
    return tuple(protocol for protocol in protocols if protocol.labels is None or protocol.labels in kinds)


def _require_for(protocol: Protocol, dataset: str, legend: Legend | None) -> None:
    if dataset and protocol.datasets and dataset not in protocol.datasets:
        others = ", ".join(name for name, each in PROTOCOLS.items() if not each.datasets or dataset in each.datasets)
        raise ConfigError(f"the protocol {protocol.name} is not for the dataset {dataset}", f"for it there is {others}")
    missing = [name for name in protocol.left_out if legend is not None and name not in legend.names]
    if missing:
        hint = "masks carry the names of their classes if geoseg or geoseg predict wrote them"
        raise ConfigError(f"the protocol {protocol.name} leaves out the class {missing[0]}, which there is not", hint)
