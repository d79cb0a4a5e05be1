"""Images and labels on disk, found by a file name pattern: the dataset for your own data.

A pattern is a path relative to the root folder, with placeholders. ``{group}/images/{name}.jpg`` finds all matching
images. The label path of an image is the label pattern with its placeholders filled in, for instance
``{group}/masks/{name}.png``. ``*`` matches anything within one folder or file name. A label pattern without
placeholders refers to a single file for all scenes, for instance a vector file of polygons.

A scene is named after its placeholders, joined by slashes (``Tile 1/image_part_001``). A split is defined by one or
more of the following:

* name patterns: ``train: ["Tile 4/*", "Tile 7/*"]``
* a list of names in a text file in the root folder: ``train: splits/train.txt``
* groups: ``val: {group: [Tile 1, Tile 3]}``
* a fraction of the groups not selected by an earlier rule, in a fixed order: ``val: {share: 0.2, by: group}``
* ``rest``: all scenes that are not selected by any other split.
"""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from geoseg._text import did_you_mean
from geoseg.data.dataset import Dataset, LabelledScene
from geoseg.data.datasets import datasets
from geoseg.data.label_encoding import build_encoding
from geoseg.data.label_reader import guess_file_kind
from geoseg.errors import ConfigError, DataError
from geoseg.legend import Legend

PLACEHOLDER = re.compile(r"\{(\w+)\}")

SplitRule = str | Mapping[str, Any]


@datasets.register
def folder(
    root: Path,
    images: str,
    labels: str,
    legend: Mapping[str, str | Sequence[int] | None] | Sequence[str],
    splits: Mapping[str, SplitRule | Sequence[SplitRule]],
    encoding_kind: Literal["auto", "index", "colour", "polygon"] = "auto",
    values: Mapping[str, Sequence[Any]] | None = None,
    ignore: Sequence[Any] = (),
    column: str | None = None,
    polygon_class: str | None = None,
    background: str | None = None,
    priority: Sequence[str] = (),
    layer: str | None = None,
) -> Dataset:
    """Create a dataset from the scenes that match a pattern.

    Args:
        root: Folder that contains the data.
        images: Pattern of the images, relative to ``root``, such as ``images/{name}.tif``.
        labels: Pattern of the labels, relative to ``root``, such as ``labels/{name}.tif``; without placeholders, one
            file for all scenes, such as ``labels.gpkg``.
        legend: Class names, with or without colors, in index order.
        splits: Rules that select the scenes of each split: name patterns, a text file of names, ``{group: [members]}``,
            ``{share: 0.2, by: group}`` or ``rest``.
        encoding_kind: Type of label files: raster values (``index``), raster colors (``colour``) or polygons
            (``polygon``); ``auto`` infers it from the first file.
        values: Pixel values, colors or attribute values that represent individual classes, keyed by class name. Other
            classes are represented by their class index, color or name.
        ignore: Values, colors or attribute values that mean "not labeled"; ``null`` is a missing attribute value.
        column: Attribute that contains the class of a polygon.
        polygon_class: Class of all polygons if there is no ``column``; by default, the last class in the legend.
        background: Class of the pixels outside all polygons; by default, they are not labeled.
        priority: Classes in stacking order, topmost first, for overlapping polygons. Polygons of other classes lie
            below these, in layer order, with the last polygon on top.
        layer: Layer to read from vector files with several layers.

    Raises:
        ConfigError: If a pattern, a rule or another option is invalid.
        DataError: If no image matches, or a label is missing.
    """
    classes = Legend.of(legend)
    scenes = _find_scenes(root, images, labels)
    first = _label_path(root, labels, scenes[0].groups)
    kind = guess_file_kind(first) if encoding_kind == "auto" else encoding_kind
    encoding = build_encoding(
        classes,
        kind,
        values=values,
        ignore=ignore,
        column=column,
        polygon_class=polygon_class,
        background=background,
        priority=priority,
        layer=layer,
    )
    return Dataset(classes, encoding, _assign_splits(root, scenes, splits))


def _find_scenes(root: Path, images: str, labels: str) -> list[LabelledScene]:
    """Return a scene for every matching image, and check that its label exists."""
    if not root.is_dir():
        raise DataError(
            f"the folder {root} does not exist", "set the folder that contains your data: --set data.root=FOLDER"
        )
    if not images or Path(images).is_absolute():
        hint = "specify a pattern below data.root, for example images/{name}.tif"
        raise ConfigError(f"data.images is {images!r}", hint)
    pattern = _compile_pattern(images)
    scenes = []
    for path in sorted(root.glob(PLACEHOLDER.sub("*", images))):
        match = pattern.fullmatch(path.relative_to(root).as_posix())
        if match:
            groups = match.groupdict()
            name = "/".join(groups.values()) or path.stem
            scenes.append(LabelledScene(name, path, _label_path(root, labels, groups), groups))
    if not scenes:
        raise DataError(f"no file in {root} matches {images!r}", "check data.root and data.images")
    missing = [scene for scene in scenes if scene.label is not None and not scene.label.exists()]
    if missing:
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise DataError(f"{missing[0].image} has no label {missing[0].label}{others}", "check data.labels")
    return scenes


def _label_path(root: Path, labels: str, groups: Mapping[str, str]) -> Path:
    try:
        return root / PLACEHOLDER.sub(lambda match: groups[match[1]], labels)
    except KeyError as error:
        message = f"data.labels uses {{{error.args[0]}}}, which data.images does not have"
        raise ConfigError(message, "use the same names") from error


def _compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return a pattern as a regular expression with a named group for each placeholder.

    A repeated placeholder must match the same text. Names that begin with a dot are hidden files (macOS writes
    ``._image.tif`` next to ``image.tif``) and do not match.
    """
    seen: set[str] = set()
    expression = []
    for part in re.split(r"(\{\w+\}|\*)", pattern):
        name = part[1:-1]
        if not PLACEHOLDER.fullmatch(part):
            expression.append("[^/]*" if part == "*" else re.escape(part))
        else:
            expression.append(f"(?P={name})" if name in seen else f"(?P<{name}>[^/.][^/]*)")
            seen.add(name)
    return re.compile("".join(expression))


def _assign_splits(
    root: Path, scenes: list[LabelledScene], splits: Mapping[str, SplitRule | Sequence[SplitRule]]
) -> dict[str, tuple[LabelledScene, ...]]:
    """Return the scenes of each split: rules by name are applied first, then fractions, then the rest."""
    members: dict[str, list[LabelledScene]] = {split: [] for split in splits}
    rules = [(split, rule) for split, value in splits.items() for rule in _as_list(value)]
    for split, rule in sorted(rules, key=lambda pair: _priority(pair[1])):
        own = {scene.name for scene in members[split]}
        taken = {scene.name for others in members.values() for scene in others}
        free = [scene for scene in scenes if scene.name not in taken]
        members[split] += [scene for scene in _select(root, rule, scenes, free) if scene.name not in own]
    return {split: tuple(selected) for split, selected in members.items()}


def _as_list(rules: SplitRule | Sequence[SplitRule]) -> Sequence[SplitRule]:
    return [rules] if isinstance(rules, str | Mapping) else rules


def _priority(rule: SplitRule) -> int:
    if rule == "rest":
        return 2
    return 1 if isinstance(rule, Mapping) and "share" in rule else 0


def _select(root: Path, rule: SplitRule, scenes: list[LabelledScene], free: list[LabelledScene]) -> list[LabelledScene]:
    """Return the scenes selected by a rule; fractions and the rest are taken from the ``free`` scenes."""
    if rule == "rest":
        return free
    if isinstance(rule, Mapping):
        return _select_share(rule, free) if "share" in rule else _select_groups(rule, scenes)
    lines = [rule]
    if rule.endswith(".txt"):
        if not (root / rule).is_file():
            raise DataError(f"the list of scenes {root / rule} does not exist", "check data.splits")
        lines = (root / rule).read_text("utf-8").split("\n")
    wanted = [line.strip() for line in lines if line.strip()]
    names = {scene.name for scene in scenes}
    exact, patterns = names.intersection(wanted), [pattern for pattern in wanted if pattern not in names]
    unmatched = [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)]
    if unmatched:
        raise DataError(f"no scene is named {unmatched[0]!r}", f"the first scene is named {scenes[0].name!r}")
    return [s for s in scenes if s.name in exact or any(fnmatchcase(s.name, pattern) for pattern in patterns)]


def _select_groups(rule: Mapping[str, Any], scenes: list[LabelledScene]) -> list[LabelledScene]:
    if len(rule) != 1:
        raise ConfigError(f"data.splits has {dict(rule)}", "write {group: [members]} or {share: 0.2, by: group}")
    group, value = next(iter(rule.items()))
    if group not in scenes[0].groups:
        hint = f"data.images has {{{'}, {'.join(scenes[0].groups)}}}"
        raise ConfigError(f"data.splits uses the group {group!r}, which data.images does not have", hint)
    wanted = [str(member) for member in (value if isinstance(value, list) else [value])]
    existing = {scene.groups[group] for scene in scenes}
    if missing := [member for member in wanted if member not in existing]:
        raise DataError(f"no scene has the {group} {missing[0]!r}", did_you_mean(missing[0], existing))
    return [scene for scene in scenes if scene.groups[group] in wanted]


def _select_share(rule: Mapping[str, Any], free: list[LabelledScene]) -> list[LabelledScene]:
    """Return the scenes in a fraction of the groups, which are selected by a hash that is the same on every machine."""
    by = str(rule.get("by", "name"))
    if free and by not in free[0].groups:
        hint = f"data.images has {{{'}, {'.join(free[0].groups)}}}"
        raise ConfigError(f"data.splits takes a share by {by!r}, which data.images does not have", hint)
    share = rule["share"]
    if not isinstance(share, int | float) or not 0 < share <= 1:
        raise ConfigError(f"data.splits has the share {share!r}", "a share must be greater than 0 and at most 1")
    groups = sorted({s.groups[by] for s in free}, key=lambda group: hashlib.sha256(group.encode()).hexdigest())
    selected = groups[: math.ceil(share * len(groups) - 1e-9)]
    return [scene for scene in free if scene.groups[by] in selected]
