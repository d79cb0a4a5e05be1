"""Tests of importing published checkpoints: model card, sources of settings, errors."""

import hashlib

import pytest
import torch
import yaml
from helpers.openmmlab import CLASSES, config, meta_0x, meta_1x, network, openmmlab_state, section

from geoseg.bundle import load, read_card
from geoseg.config.load import load_recipe, parse_recipe
from geoseg.errors import BundleError, ConfigError, OutputError
from geoseg.importers.import_checkpoint import import_checkpoint

MODEL = section()


@pytest.fixture(scope="module")
def made():
    torch.manual_seed(0)
    return network(MODEL)


@pytest.fixture
def checkpoint(made, tmp_path):
    """Writes a checkpoint that says ``meta`` of itself."""

    def write(meta=None, of=made):
        torch.save({"meta": meta or {}, "state_dict": openmmlab_state(of)}, tmp_path / "model-12345678.pth")
        return tmp_path / "model-12345678.pth"

    return write


def recipe(**sections):
    return parse_recipe({"data": {"legend": {"a": "#010203", "b": "#040506", "c": None}}, **sections})


def test_bundle_has_the_logits_of_the_checkpoint(made, checkpoint, tmp_path) -> None:
    imported = import_checkpoint(checkpoint(meta_0x()), tmp_path / "model.safetensors")
    images = torch.randn(1, 3, 40, 50)
    with torch.no_grad():
        assert torch.equal(load(imported.path).network(images), made(images))


def test_card_of_an_imported_checkpoint(checkpoint, tmp_path) -> None:
    path = checkpoint(meta_0x())
    imported = import_checkpoint(path, tmp_path / "model.safetensors")
    card = read_card(imported.path)
    assert card == imported.bundle.card
    assert card.legend.names == CLASSES
    assert card.legend.entries[1].colour == (0, 200, 0)
    assert card.bands == ("red", "green", "blue")
    assert (card.mean, card.std) == ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    assert (card.minimum, card.maximum, card.dtype) == ((0,) * 3, (255,) * 3, "uint8")
    assert (card.gsd, card.crop, card.tile, card.halo) == (None, 512, 512, 64)
    assert (card.scores, card.protocol, card.recipe, card.data) == ({}, "", {}, {})
    assert card.provenance["checkpoint"] == "model-12345678.pth"
    assert card.provenance["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card.provenance["mmsegmentation"] == "0.20.0"
    assert "assumed" in card.provenance["settings"]


def test_recipe_supplies_missing_settings(checkpoint, tmp_path) -> None:
    asked = recipe(
        data={"legend": ["a", "b", "c"], "bands": ["nir", "red", "green"], "gsd": 0.09},
        model={"backbone": "resnet101", "output_stride": 16},
        train={"crop": 256},
        predict={"tile": 896, "halo": 32},
    )
    card = import_checkpoint(checkpoint(), tmp_path / "m.safetensors", recipe=asked).bundle.card
    assert card.legend.names == ("a", "b", "c")
    assert (card.bands, card.gsd, card.crop, card.tile, card.halo) == (("nir", "red", "green"), 0.09, 256, 896, 32)
    assert card.model.output_stride == 16
    assert card.model.backbone.name == "resnet18"


def test_checkpoint_takes_precedence_over_recipe(checkpoint, tmp_path) -> None:
    meta = meta_1x(config=config(more="img = dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0])"))
    asked = recipe(model={"output_stride": 16})
    card = import_checkpoint(checkpoint(meta), tmp_path / "m.safetensors", recipe=asked).bundle.card
    assert card.legend.names == CLASSES
    assert card.model.output_stride == 8
    assert (card.mean, card.std) == ((1, 2, 3), (4, 5, 6))
    assert card.provenance["mmengine"] == "0.10.7"


def test_tiles_have_the_size_of_training_crops_by_default(checkpoint, tmp_path) -> None:
    for side, halo in ((896, 64), (128, 16)):
        path = checkpoint(meta_0x(config=config(more=f"crop_size = ({side}, {side})")))
        card = import_checkpoint(path, tmp_path / "m.safetensors", overwrite=True).bundle.card
        assert (card.crop, card.tile, card.halo) == (side, side, halo)
    asked = recipe(train={"crop": 256}, predict={"tile": 640, "halo": 32})
    card = import_checkpoint(path, tmp_path / "m.safetensors", recipe=asked, overwrite=True).bundle.card
    assert (card.crop, card.tile, card.halo) == (128, 640, 32)


def test_bands_of_bgr_images_are_blue_green_red(checkpoint, tmp_path) -> None:
    scaled = "preprocessor = dict(bgr_to_rgb=False, mean=[1, 2, 3], std=[4, 5, 6])"
    card = import_checkpoint(checkpoint(meta_1x(config=config(more=scaled))), tmp_path / "m.safetensors").bundle.card
    assert (card.bands, card.mean) == (("blue", "green", "red"), (1, 2, 3))


@pytest.mark.parametrize(
    ("bands", "required"),
    [
        (["red", "green", "blue"], "blue, green, red"),
        (["nir", "red", "green"], "green, red, nir"),
        (["blue", "green", "red"], ""),
        (["green", "red", "nir"], ""),
    ],
)
def test_bands_of_a_recipe_do_not_override_to_rgb(checkpoint, tmp_path, bands, required) -> None:
    path = checkpoint(meta_0x(config=config(more="norm = dict(mean=[1, 2, 3], std=[4, 5, 6], to_rgb=False)")))
    asked, target = recipe(data={"bands": bands}), tmp_path / "m.safetensors"
    if not required:
        assert import_checkpoint(path, target, recipe=asked).bundle.card.bands == tuple(bands)
        return
    with pytest.raises(ConfigError, match="to_rgb=False") as caught:
        import_checkpoint(path, target, recipe=asked)
    assert f"data.bands: [{required}]" in caught.value.hint
    assert not target.exists()


def renamed(path, name):
    return path.rename(path.with_name(name))


def test_a_dataset_in_the_name_is_compared_with_the_recipe(tmp_path) -> None:
    made, name = network(section(), classes=6), "deeplabv3plus_r18-d8_4x4_512x512_80k_vaihingen.pth"
    torch.save({"state_dict": openmmlab_state(made)}, tmp_path / name)
    with pytest.raises(ConfigError, match="says vaihingen") as caught:
        import_checkpoint(tmp_path / name, tmp_path / "m.safetensors", recipe=load_recipe("potsdam"))
    assert "--recipe vaihingen" in caught.value.hint
    with pytest.raises(BundleError, match="nir, red, green") as assumed:
        import_checkpoint(tmp_path / name, tmp_path / "m.safetensors")
    assert "--recipe vaihingen" in assumed.value.hint
    card = import_checkpoint(tmp_path / name, tmp_path / "m.safetensors", recipe=load_recipe("vaihingen")).bundle.card
    assert card.bands == ("nir", "red", "green")


def test_crops_in_the_name_set_the_tiles_and_are_compared_with_the_recipe(checkpoint, tmp_path) -> None:
    path, target = renamed(checkpoint(), "deeplabv3plus_r18-d8_4x4_896x896_80k_isaid.pth"), tmp_path / "m.safetensors"
    assert import_checkpoint(path, target).bundle.card.tile == 896
    with pytest.raises(ConfigError, match="896") as caught:
        import_checkpoint(path, target, recipe=recipe(train={"crop": 256}), overwrite=True)
    assert "train.crop: 896" in caught.value.hint


def test_digest_that_differs_from_the_name_is_noted(checkpoint, tmp_path) -> None:
    path = checkpoint()
    notes = import_checkpoint(path, tmp_path / "m.safetensors").notes
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    assert f"SHA-256 of the file begins with {digits}, not with 12345678 as in its name" in notes[-1]
    for name in (f"model-{digits}.pth", "iter_80000.pth"):
        path = path.rename(tmp_path / name)
        assert "SHA-256" not in "".join(import_checkpoint(path, tmp_path / "m.safetensors", overwrite=True).notes)


@pytest.mark.parametrize("meta", [None, meta_0x(classes=("one", "two")), meta_1x(classes=None)])
def test_unnamed_classes_are_numbered(checkpoint, tmp_path, meta) -> None:
    imported = import_checkpoint(checkpoint(meta), tmp_path / "m.safetensors")
    assert imported.bundle.card.legend.names == ("0", "1", "2")
    assert any("numbered" in note for note in imported.notes)


def test_missing_colors_are_assigned(checkpoint, tmp_path) -> None:
    card = import_checkpoint(checkpoint(meta_1x(palette="random")), tmp_path / "m.safetensors").bundle.card
    assert card.legend.names == CLASSES
    assert len({entry.colour for entry in card.legend.entries}) == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"legend": ["a", "b"]}, "legend has 2 classes, but the checkpoint has 3"),
        ({"legend": 7}, "invalid data.legend 7"),
        ({"bands": ["red", "nir"]}, "expects 3 bands, not red, nir"),
    ],
)
def test_recipe_of_another_network_is_refused(checkpoint, tmp_path, data, message) -> None:
    with pytest.raises(ConfigError, match=message):
        import_checkpoint(checkpoint(), tmp_path / "m.safetensors", recipe=recipe(data=data))
    assert not (tmp_path / "m.safetensors").exists()


def test_bands_without_normalization_are_refused(checkpoint, tmp_path) -> None:
    path = checkpoint(of=network(MODEL, bands=4))
    with pytest.raises(ConfigError, match="expects 4 bands, not red, green, blue"):
        import_checkpoint(path, tmp_path / "m.safetensors")
    named = recipe(data={"bands": ["red", "green", "blue", "nir"]})
    with pytest.raises(BundleError, match="has 4 bands and no input normalization"):
        import_checkpoint(path, tmp_path / "m.safetensors", recipe=named)


def test_existing_output_requires_overwrite(checkpoint, tmp_path) -> None:
    (tmp_path / "m.safetensors").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        import_checkpoint(checkpoint(), tmp_path / "m.safetensors")
    assert (tmp_path / "m.safetensors").read_text() == "mine"
    import_checkpoint(checkpoint(), tmp_path / "m.safetensors", overwrite=True)
    assert read_card(tmp_path / "m.safetensors")


def test_output_must_end_in_safetensors(checkpoint, tmp_path) -> None:
    path = checkpoint()
    with pytest.raises(OutputError, match=r"does not end in \.safetensors"):
        import_checkpoint(path, path, overwrite=True)


def test_command_reports_settings_and_prints_the_path(geoseg, checkpoint, tmp_path) -> None:
    (tmp_path / "r.yaml").write_text(yaml.safe_dump({"data": {"gsd": 0.05}, "model": {"output_stride": 16}}))
    target = tmp_path / "m.safetensors"
    result = geoseg("import", checkpoint(meta_0x()), "--recipe", tmp_path / "r.yaml", "-o", target)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{target}\n"
    assert "resnet18 with deeplabv3plus and an auxiliary head, 3 bands, 3 classes" in result.stderr
    assert "output stride 16, no multi-grid, align_corners False: from the recipe" in result.stderr
    assert "input normalization assumed: mmsegmentation's" in result.stderr
    assert "classes from the checkpoint: water, land, ice" in result.stderr
    assert read_card(target).gsd == 0.05
    assert "model-12345678.pth" in geoseg("info", target).stdout


def test_failed_command_writes_nothing(geoseg, checkpoint, tmp_path) -> None:
    path = checkpoint()
    path.write_bytes(path.read_bytes()[:-100])
    result = geoseg("import", path, "-o", tmp_path / "m.safetensors")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {path} is not a PyTorch checkpoint, or it is corrupted\nHint: ")
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_included_recipe_supplies_classes_bands_and_gsd(tmp_path) -> None:
    made = network(section(), classes=6)
    torch.save({"state_dict": openmmlab_state(made)}, tmp_path / "bare.pth")
    card = import_checkpoint(
        tmp_path / "bare.pth", tmp_path / "m.safetensors", recipe=load_recipe("vaihingen")
    ).bundle.card
    assert card.legend.names[:2] == ("impervious_surface", "building")
    assert card.bands == ("nir", "red", "green")
    assert card.gsd == 0.09
