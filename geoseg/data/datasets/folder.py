"""Any images and labels on disk, found by pattern: the dataset for your own imagery.

A pattern is a path below the root with placeholders. ``{group}/images/{name}.jpg`` finds every such image; the label
of each is the label pattern with the placeholders filled in, so ``{group}/masks/{name}.png`` pairs them. ``*`` stands
for anything inside one folder name. A label pattern without placeholders is one file for all scenes (polygons, say).

A scene is called after its placeholders, joined by slashes (``Tile 1/image_part_001``), and splits are made of

* patterns of names: ``train: ["Tile 4/*", "Tile 7/*"]``
* lists of names in a text file below the root: ``train: splits/train.txt``
* groups: ``val: {group: [Tile 1, Tile 3]}``
* a share of the groups that the rules before it left over, drawn by a fixed rule: ``val: {share: 0.2, by: group}``
* ``rest``: whatever no other split takes.
"""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from geoseg.data.dataset import Dataset, LabelledScene
from geoseg.data.datasets import datasets
from geoseg.data.label_encoding import encoding, kind_of
from geoseg.errors import ConfigError, DataError, did_you_mean
from geoseg.legend import Legend
from geoseg.raster.scene import Scene

PLACEHOLDER = re.compile(r"\{(\w+)\}")

Rule = str | Mapping[str, Any]


@datasets.register
def folder(
    root: Path,
    images: str,
    labels: str,
    legend: Mapping[str, str | Sequence[int] | None] | Sequence[str],
    splits: Mapping[str, Rule | Sequence[Rule]],
    encoding_kind: Literal["auto", "index", "colour", "polygon"] = "auto",
    values: Mapping[str, Sequence[Any]] | None = None,
    ignore: Sequence[Any] = (),
    column: str | None = None,
    polygon_class: str | None = None,
    background: str | None = None,
) -> Dataset:
    """Scenes by pattern; see :func:`geoseg.data.label_encoding.encoding` for the options that say what labels mean."""
    classes = Legend.of(legend)
    scenes = _scenes(root, images, labels)
    first = _label(root, labels, scenes[0].groups)
    kind = _guessed_kind(first) if encoding_kind == "auto" else encoding_kind
    meaning = encoding(
        classes, kind, values=values, ignore=ignore, column=column, polygon_class=polygon_class, background=background
    )
    return Dataset(classes, meaning, _split(root, scenes, splits))


def _scenes(root: Path, images: str, labels: str) -> list[LabelledScene]:
    """Every image of the pattern with its label; :class:`DataError` if there is none or a label is missing."""
    if not root.is_dir():
        raise DataError(f"there is no folder {root}", "give the folder of your data: --set data.root=FOLDER")
    if not images or Path(images).is_absolute():
        raise ConfigError(
            f"data.images is {images!r}", "write a pattern below data.root, for instance images/{name}.tif"
        )
    pattern = _regex(images)
    found = []
    for path in sorted(root.glob(PLACEHOLDER.sub("*", images))):
        match = pattern.fullmatch(path.relative_to(root).as_posix())
        if match:
            groups = match.groupdict()
            name = "/".join(groups.values()) or path.stem
            found.append(LabelledScene(name, path, _label(root, labels, groups), groups))
    if not found:
        raise DataError(f"no file in {root} fits {images!r}", "check data.root and data.images")
    missing = [scene for scene in found if scene.label is not None and not scene.label.exists()]
    if missing:
        others = f" (and {len(missing) - 1} others)" if len(missing) > 1 else ""
        raise DataError(f"{missing[0].image} has no label {missing[0].label}{others}", "check data.labels")
    return found


def _label(root: Path, labels: str, groups: Mapping[str, str]) -> Path:
    try:
        return root / PLACEHOLDER.sub(lambda match: groups[match[1]], labels)
    except KeyError as error:
        raise ConfigError(
            f"data.labels uses {{{error.args[0]}}}, which data.images does not have", "use the same names"
        ) from None


def _regex(pattern: str) -> re.Pattern[str]:
    """A pattern as a regular expression with a named group per placeholder; a name used twice must agree.

    Names that begin with a dot are hidden files (macOS puts ``._image.tif`` beside ``image.tif``) and fit nothing.
    """
    seen: set[str] = set()
    pieces = []
    for piece in re.split(r"(\{\w+\}|\*)", pattern):
        name = piece[1:-1]
        if not PLACEHOLDER.fullmatch(piece):
            pieces.append("[^/]*" if piece == "*" else re.escape(piece))
        else:
            pieces.append(f"(?P={name})" if name in seen else f"(?P<{name}>[^/.][^/]*)")
            seen.add(name)
    return re.compile("".join(pieces))


def _guessed_kind(label: Path) -> Literal["index", "colour", "polygon"]:
    kind = kind_of(label, 0, has_palette=False)
    if kind == "polygon":
        return kind
    with Scene.open(label) as scene:
        return kind_of(label, len(scene.bands), has_palette=scene.palette is not None)


def _split(
    root: Path, scenes: list[LabelledScene], splits: Mapping[str, Rule | Sequence[Rule]]
) -> dict[str, tuple[LabelledScene, ...]]:
    """Scenes by split: first what is named, then shares of what is left, then the rest."""
    chosen: dict[str, list[LabelledScene]] = {split: [] for split in splits}
    rules = [(split, rule) for split, listed in splits.items() for rule in _listed(listed)]
    for split, rule in sorted(rules, key=lambda pair: _turn(pair[1])):
        mine = {scene.name for scene in chosen[split]}
        taken = {scene.name for others in chosen.values() for scene in others}
        left = [scene for scene in scenes if scene.name not in taken]
        chosen[split] += [scene for scene in _matching(root, rule, scenes, left) if scene.name not in mine]
    return {split: tuple(members) for split, members in chosen.items()}


def _listed(rules: Rule | Sequence[Rule]) -> Sequence[Rule]:
    return [rules] if isinstance(rules, str | Mapping) else rules


def _turn(rule: Rule) -> int:
    """Named scenes first, shares second, the rest last."""
    if rule == "rest":
        return 2
    return 1 if isinstance(rule, Mapping) and "share" in rule else 0


def _matching(root: Path, rule: Rule, scenes: list[LabelledScene], left: list[LabelledScene]) -> list[LabelledScene]:
    if rule == "rest":
        return left
    if isinstance(rule, Mapping):
        return _drawn(rule, left) if "share" in rule else _grouped(rule, scenes)
    patterns = [rule]
    if rule.endswith(".txt"):
        if not (root / rule).is_file():
            raise DataError(f"there is no list of scenes {root / rule}", "check data.splits")
        patterns = (root / rule).read_text("utf-8").split("\n")
    wanted = [pattern.strip() for pattern in patterns if pattern.strip()]
    names = {scene.name for scene in scenes}
    exact, globs = names.intersection(wanted), [pattern for pattern in wanted if pattern not in names]
    lost = [pattern for pattern in globs if not any(fnmatchcase(name, pattern) for name in names)]
    if lost:
        raise DataError(f"no scene is called {lost[0]!r}", f"a scene here is called {scenes[0].name!r}")
    return [s for s in scenes if s.name in exact or any(fnmatchcase(s.name, pattern) for pattern in globs)]


def _grouped(rule: Mapping[str, Any], scenes: list[LabelledScene]) -> list[LabelledScene]:
    if len(rule) != 1:
        raise ConfigError(f"data.splits holds {dict(rule)}", "write {group: [members]} or {share: 0.2, by: group}")
    group, members = next(iter(rule.items()))
    if group not in scenes[0].groups:
        raise ConfigError(
            f"data.splits asks for the group {group!r}", f"data.images has {{{'}, {'.join(scenes[0].groups)}}}"
        )
    wanted = [str(member) for member in (members if isinstance(members, list) else [members])]
    known = {scene.groups[group] for scene in scenes}
    if lost := [member for member in wanted if member not in known]:
        raise DataError(f"no scene has the {group} {lost[0]!r}", did_you_mean(lost[0], known))
    return [scene for scene in scenes if scene.groups[group] in wanted]


def _drawn(rule: Mapping[str, Any], left: list[LabelledScene]) -> list[LabelledScene]:
    """A share of the groups, in the order of a hash of their names: the same on every machine, for ever."""
    by = str(rule.get("by", "name"))
    if left and by not in left[0].groups:
        raise ConfigError(f"data.splits draws by {by!r}", f"data.images has {{{'}, {'.join(left[0].groups)}}}")
    share = rule["share"]
    if not isinstance(share, int | float) or not 0 < share <= 1:
        raise ConfigError(f"data.splits draws a share of {share!r}", "a share lies between 0 and 1")
    groups = sorted({s.groups[by] for s in left}, key=lambda g: hashlib.sha256(g.encode()).hexdigest())
    drawn = groups[: math.ceil(share * len(groups) - 1e-9)]
    return [scene for scene in left if scene.groups[by] in drawn]
