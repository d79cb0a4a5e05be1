"""Imported checkpoints in the format of OpenMMLab give mmsegmentation's logits (shared/golden/README.md)."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from geoseg.bundle import load

MODELS = {"r18_v3": ("resnet18", "deeplabv3"), "r50_v3plus": ("resnet50", "deeplabv3plus")}


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # of gen_state.py
@pytest.mark.parametrize("style", ["0x", "1x"])
@pytest.mark.parametrize("name", MODELS)
def test_a_bundle_has_the_logits_and_the_legend_of_its_checkpoint(
    name, style, golden: Path, tmp_path, geoseg, monkeypatch
) -> None:
    checkpoint, model = tmp_path / f"{name}.pth", tmp_path / "model.safetensors"
    monkeypatch.setattr(sys, "argv", ["gen_state.py", name, str(checkpoint), "--style", style])
    runpy.run_path(str(golden / "gen_state.py"), run_name="__main__")
    result = geoseg("import", checkpoint, "-o", model)
    checkpoint.unlink()  # they are large, and pytest keeps what is here
    assert result.exit_code == 0, result.stderr
    bundle = load(model)
    model.unlink()
    assert (bundle.card.model.backbone.name, bundle.card.model.head.name) == MODELS[name]
    assert legend_of(bundle) == said(golden, name)
    for size in ("128x128", "97x131"):
        with torch.no_grad():
            logits = bundle.network(torch.from_numpy(np.load(golden / f"input_{size}.npy")))
        np.testing.assert_allclose(logits.numpy(), np.load(golden / f"{name}_logits_{size}.npy"), rtol=0, atol=1e-4)


def legend_of(bundle):
    return [(entry.name, list(entry.colour)) for entry in bundle.card.legend.entries]


def said(golden, name):
    """Names and colours that the checkpoint was made with."""
    spec = json.loads((golden / "specs.json").read_text())[name]
    return list(zip(spec["classes"], spec["palette"], strict=True))
