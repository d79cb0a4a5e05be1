"""Find the module of a backbone by its name, without importing torch or timm.

The name is looked up in this order:

1. OpenMMLab's dilated ResNets (``resnet50``: the table in ``backbones/resnet.py``),
2. modules in ``backbones/`` and entry points (``mine``: ``backbones/mine.py``),
3. timm (``convnext_tiny``: ``backbones/timm.py``).
"""

import re
import sys
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from geoseg._text import did_you_mean
from geoseg.errors import ConfigError
from geoseg.models.backbones import backbones

OPENMMLAB_RESNETS = (
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet18b", "resnet34b", "resnet50b", "resnet101b", "resnet152b",
)  # fmt: skip
"""Keys of :data:`geoseg.models.backbones.resnet.VARIANTS`."""

FAMILIES = {"resnet", "timm"}
"""Modules in ``backbones/`` that contain many backbones and are not backbones themselves."""

TIMM_MODEL = re.compile(r"^@register_model\s+def (\w+)|^    '(\w+)' *: *'\w+(?:\.\w+)?'", re.MULTILINE)
"""Pattern of a model in timm's source: a registered function, or an old name in a table of deprecated names."""


def find_backbone_module(name: str) -> str:
    """Return the name of the module in ``backbones/`` that contains a backbone.

    Raises:
        ConfigError: If no backbone has this name; the hint suggests the closest name.
    """
    if name in OPENMMLAB_RESNETS:
        return "resnet"
    own = set(backbones.names()) - FAMILIES
    if name in own:
        return name
    models = list_timm_models()
    if name.partition(".")[0] in models:  # for example, resnet50.tv_in1k refers to weights of resnet50
        return "timm"
    # timm has over a thousand models, so suggest a close match instead of listing all of them.
    ours = {*OPENMMLAB_RESNETS, *own}
    close = get_close_matches(name, ours) or get_close_matches(name, models)
    raise ConfigError(f"unknown backbone {name!r}", did_you_mean(name, close or ours))


def list_timm_models() -> frozenset[str]:
    """List the model names in timm's source code (faster than importing timm) and those registered at run time."""
    if "timm" in sys.modules:
        return _read_timm_models() | frozenset(
            import_module("timm").list_models()
        )  # models may have been registered since
    return _read_timm_models()


@lru_cache(maxsize=1)
def _read_timm_models() -> frozenset[str]:
    spec = find_spec("timm")
    folders = list(spec.submodule_search_locations or []) if spec else []
    files = [file for folder in folders for file in Path(folder, "models").glob("*.py")]
    return frozenset(model or old for file in files for model, old in TIMM_MODEL.findall(file.read_text("utf-8")))
