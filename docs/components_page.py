"""Generate the component reference from source code: one table of options per component."""

import ast
import inspect
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args, get_origin

from geoseg._component_source import find_component, read_signature
from geoseg.registry import component_names

KINDS = {
    "dataset": ("Datasets", "geoseg.data.datasets", "data.dataset", ("root",)),
    "backbone": (
        "Backbones", "geoseg.models.backbones", "model.backbone",
        ("variant", "bands", "output_stride", "multi_grid", "pretrained"),
    ),
    "head": ("Heads", "geoseg.models.heads", "model.head", ("in_channels", "strides", "classes", "align_corners")),
    "loss": ("Losses", "geoseg.losses", "loss", ("classes", "ignore_index")),
    "sampler": ("Samplers", "geoseg.data.crops.samplers", "train.sampler", ("scenes", "size", "scale", "seed", "classes")),
}  # fmt: skip
"""Title, package, recipe key and arguments set by geoseg, keyed by kind of component."""

FAMILIES = {"resnet": "OpenMMLab's ResNets", "timm": "timm's models"}
"""Modules that contain many backbones, which are named after the networks."""

POLYGONS_BY_ATTRIBUTE = """\
#### Example: polygon labels by attribute

One GeoPackage contains the labels of all scenes; its attribute `landuse` contains the class of each polygon.

```yaml
data:
  dataset: folder
  root: town
  images: "images/{name}.tif"
  labels: labels.gpkg # or "labels/{name}.gpkg": one file per scene
  encoding_kind: polygon
  column: landuse
  legend: {meadow: "#DDDDDD", water: "#4363D8", forest: "#3CB44B"}
  values: # classes that are not listed here are represented by their own name
    water: [lake, river]
    forest: [wood, pine]
  ignore: [unknown] # polygons that are not labeled
  background: meadow # pixels outside all polygons; by default, they are not labeled
  splits: {val: [b], train: rest}
```

`geoseg info labels.gpkg` lists the values of each attribute.
"""


def component_sections() -> list[str]:
    """Return the lines of one section per kind of component."""
    lines = [
        "## Components", "",
        "A component has the same name as its module. A component with options is written as",
        "`{name: deeplabv3plus, channels: 256}`; the options of a dataset are keys of `data`, next to `dataset`. For an",
        "unknown option, the error message suggests the closest name.",
    ]  # fmt: skip
    for kind, (title, package, key, given) in KINDS.items():
        names = component_names(kind, package)
        lines += ["", f"## {title}", "", f"Options of `{key}`." if kind == "backbone" else _values(key, names)]
        if kind == "loss":
            lines += [
                "",
                "Each loss also has the key `weight` (default `1.0`), its weight in the total loss.",
            ]
        for name in names:
            lines += ["", f"### {FAMILIES.get(name, f'`{name}`') if kind == 'backbone' else f'`{name}`'}", ""]
            lines += _component(Path(str(find_spec(f"{package}.{name}").origin)), given)  # type: ignore[union-attr]
            lines += ["", *POLYGONS_BY_ATTRIBUTE.splitlines()] if (kind, name) == ("dataset", "folder") else []
    return lines


def _component(path: Path, given: tuple[str, ...]) -> list[str]:
    """Return the summary of a component and a table of its options."""
    component = find_component(ast.parse(path.read_text("utf-8")))
    signature = read_signature(path)
    assert component is not None, path
    assert signature is not None, path
    text = ast.get_docstring(component) or ""
    meanings = _arguments(text)
    options = [each for each in signature.parameters.values() if each.name not in given]
    lines = [_prose(text.split("\n\n")[0])]
    if not options:
        return [*lines, "", "No options."]
    rows = [f"| `{each.name}` | {_default(each)} | {meanings[each.name]}{_choices(each)} |" for each in options]
    return [*lines, "", "| option | default | meaning |", "|---|---|---|", *rows]


def _values(key: str, names: list[str]) -> str:
    return f"Values of `{key}`: {', '.join(f'`{name}`' for name in names)}."


def _choices(option: inspect.Parameter) -> str:
    """Return a sentence that lists the allowed values of an option; empty if any value is allowed."""
    parts = [option.annotation, *get_args(option.annotation)]
    names = [name for part in parts if get_origin(part) is Literal for name in get_args(part)]
    return f" One of {', '.join(f'`{name}`' for name in names)}." if names else ""


def _arguments(docstring: str) -> dict[str, str]:
    """Return the descriptions in the Args section of a docstring, keyed by name."""
    section = re.search(r"^Args:\n((?:    .*\n?|\n)*)", docstring, re.MULTILINE)
    entries = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", section[1] if section else "", re.MULTILINE)
    return {name: _prose(text) for name, text in entries}


def _default(option: inspect.Parameter) -> str:
    if option.default is option.empty:
        return "required"
    return f"`{option.default}`".replace("|", "\\|")


def _prose(text: str) -> str:
    """Return docstring text as Markdown on one line."""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", " ".join(text.split()))
    return text.replace("``", "`").replace("|", "\\|")
