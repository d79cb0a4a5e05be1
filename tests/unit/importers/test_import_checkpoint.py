"""Published checkpoints become bundles: what the card says, where it comes from, and what is refused."""

import hashlib

import pytest
import torch
import yaml
from strategies_zoo import CLASSES, config, meta_0x, meta_1x, network, section, zoo_state

from geoseg.bundle import load, read_card
from geoseg.config.load import load_recipe, recipe_from
from geoseg.errors import BundleError, ConfigError, OutputError
from geoseg.importers.import_checkpoint import import_zoo

MODEL = section()


@pytest.fixture(scope="module")
def made():
    torch.manual_seed(0)
    return network(MODEL)


@pytest.fixture
def checkpoint(made, tmp_path):
    """Writes a checkpoint that says ``meta`` of itself."""

    def write(meta=None, of=made):
        torch.save({"meta": meta or {}, "state_dict": zoo_state(of)}, tmp_path / "zoo-12345678.pth")
        return tmp_path / "zoo-12345678.pth"

    return write


def recipe(**sections):
    return recipe_from({"data": {"legend": {"a": "#010203", "b": "#040506", "c": None}}, **sections})


def test_the_bundle_gives_the_checkpoints_logits(made, checkpoint, tmp_path) -> None:
    imported = import_zoo(checkpoint(meta_0x()), tmp_path / "model.safetensors")
    images = torch.randn(1, 3, 40, 50)
    with torch.no_grad():
        assert torch.equal(load(imported.path).network(images), made(images))


def test_the_card_is_the_zoos(checkpoint, tmp_path) -> None:
    path = checkpoint(meta_0x())
    imported = import_zoo(path, tmp_path / "model.safetensors")
    card = read_card(imported.path)
    assert card == imported.bundle.card
    assert card.legend.names == CLASSES
    assert card.legend.entries[1].colour == (0, 200, 0)
    assert card.bands == ("red", "green", "blue")
    assert (card.mean, card.std) == ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
    assert (card.minimum, card.maximum, card.dtype) == ((0,) * 3, (255,) * 3, "uint8")
    assert (card.gsd, card.crop, card.tile, card.halo) == (None, 512, 512, 64)
    assert (card.scores, card.protocol, card.recipe, card.data) == ({}, "", {}, {})
    assert card.provenance["checkpoint"] == "zoo-12345678.pth"
    assert card.provenance["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert card.provenance["mmsegmentation"] == "0.20.0"
    assert "assumed" in card.provenance["settings"]


def test_the_recipe_says_what_the_checkpoint_does_not(checkpoint, tmp_path) -> None:
    asked = recipe(
        data={"legend": ["a", "b", "c"], "bands": ["nir", "red", "green"], "gsd": 0.09},
        model={"backbone": "resnet101", "output_stride": 16},
        train={"crop": 256},
        predict={"tile": 896, "halo": 32},
    )
    card = import_zoo(checkpoint(), tmp_path / "m.safetensors", recipe=asked).bundle.card
    assert card.legend.names == ("a", "b", "c")
    assert (card.bands, card.gsd, card.crop, card.tile, card.halo) == (("nir", "red", "green"), 0.09, 256, 896, 32)
    assert card.model.output_stride == 16
    assert card.model.backbone.name == "resnet18"


def test_the_checkpoint_counts_more_than_the_recipe(checkpoint, tmp_path) -> None:
    meta = meta_1x(config=config(more="img = dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0])"))
    asked = recipe(model={"output_stride": 16})
    card = import_zoo(checkpoint(meta), tmp_path / "m.safetensors", recipe=asked).bundle.card
    assert card.legend.names == CLASSES
    assert card.model.output_stride == 8
    assert (card.mean, card.std) == ((1, 2, 3), (4, 5, 6))
    assert card.provenance["mmengine"] == "0.10.7"


def test_tiles_are_like_the_crops_of_training_unless_a_recipe_says_otherwise(checkpoint, tmp_path) -> None:
    for side, halo in ((896, 64), (128, 16)):
        path = checkpoint(meta_0x(config=config(more=f"crop_size = ({side}, {side})")))
        card = import_zoo(path, tmp_path / "m.safetensors", overwrite=True).bundle.card
        assert (card.crop, card.tile, card.halo) == (side, side, halo)
    asked = recipe(train={"crop": 256}, predict={"tile": 640, "halo": 32})
    card = import_zoo(path, tmp_path / "m.safetensors", recipe=asked, overwrite=True).bundle.card
    assert (card.crop, card.tile, card.halo) == (128, 640, 32)


def test_pictures_that_were_left_in_blue_green_red_name_their_bands_so(checkpoint, tmp_path) -> None:
    scaled = "preprocessor = dict(bgr_to_rgb=False, mean=[1, 2, 3], std=[4, 5, 6])"
    card = import_zoo(checkpoint(meta_1x(config=config(more=scaled))), tmp_path / "m.safetensors").bundle.card
    assert (card.bands, card.mean) == (("blue", "green", "red"), (1, 2, 3))


def test_a_file_that_is_not_what_its_name_promises_is_mentioned(checkpoint, tmp_path) -> None:
    path = checkpoint()
    notes = import_zoo(path, tmp_path / "m.safetensors").notes
    digits = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    assert f"SHA-256 begins with {digits}, not with the 12345678 in its name" in notes[-1]
    for name in (f"zoo-{digits}.pth", "iter_80000.pth"):
        path = path.rename(tmp_path / name)
        assert "SHA-256" not in "".join(import_zoo(path, tmp_path / "m.safetensors", overwrite=True).notes)


@pytest.mark.parametrize("meta", [None, meta_0x(classes=("one", "two")), meta_1x(classes=None)])
def test_classes_nobody_names_are_numbered(checkpoint, tmp_path, meta) -> None:
    imported = import_zoo(checkpoint(meta), tmp_path / "m.safetensors")
    assert imported.bundle.card.legend.names == ("0", "1", "2")
    assert any("numbered" in note for note in imported.notes)


def test_names_without_colours_get_some(checkpoint, tmp_path) -> None:
    card = import_zoo(checkpoint(meta_1x(palette="random")), tmp_path / "m.safetensors").bundle.card
    assert card.legend.names == CLASSES
    assert len({entry.colour for entry in card.legend.entries}) == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"legend": ["a", "b"]}, "legend has 2 classes, the checkpoint 3"),
        ({"legend": 7}, "data.legend is 7"),
        ({"bands": ["red", "nir"]}, "takes 3 bands, not red, nir"),
    ],
)
def test_a_recipe_for_another_network_is_refused(checkpoint, tmp_path, data, message) -> None:
    with pytest.raises(ConfigError, match=message):
        import_zoo(checkpoint(), tmp_path / "m.safetensors", recipe=recipe(data=data))
    assert not (tmp_path / "m.safetensors").exists()


def test_bands_of_unknown_scaling_are_refused(checkpoint, tmp_path) -> None:
    path = checkpoint(of=network(MODEL, bands=4))
    with pytest.raises(ConfigError, match="takes 4 bands, not red, green, blue"):
        import_zoo(path, tmp_path / "m.safetensors")
    named = recipe(data={"bands": ["red", "green", "blue", "nir"]})
    with pytest.raises(BundleError, match="does not say how its 4 bands were scaled"):
        import_zoo(path, tmp_path / "m.safetensors", recipe=named)


def test_nothing_is_overwritten_unasked(checkpoint, tmp_path) -> None:
    (tmp_path / "m.safetensors").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        import_zoo(checkpoint(), tmp_path / "m.safetensors")
    assert (tmp_path / "m.safetensors").read_text() == "mine"
    import_zoo(checkpoint(), tmp_path / "m.safetensors", overwrite=True)
    assert read_card(tmp_path / "m.safetensors")


def test_a_model_is_called_safetensors(checkpoint, tmp_path) -> None:
    path = checkpoint()
    with pytest.raises(OutputError, match=r"does not end in \.safetensors"):
        import_zoo(path, path, overwrite=True)


def test_the_command_says_what_it_found_and_prints_the_path(geoseg, checkpoint, tmp_path) -> None:
    (tmp_path / "r.yaml").write_text(yaml.safe_dump({"data": {"gsd": 0.05}, "model": {"output_stride": 16}}))
    target = tmp_path / "m.safetensors"
    result = geoseg("import-zoo", checkpoint(meta_0x()), "--recipe", tmp_path / "r.yaml", "-o", target)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{target}\n"
    assert "resnet18 with deeplabv3plus and an auxiliary head, 3 bands, 3 classes" in result.stderr
    assert "output stride 16, no multi-grid, align_corners False: from the recipe" in result.stderr
    assert "scaling assumed to be the zoo's" in result.stderr
    assert "classes from the checkpoint: water, land, ice" in result.stderr
    assert read_card(target).gsd == 0.05
    assert "zoo-12345678.pth" in geoseg("info", target).stdout


def test_the_command_refuses_in_a_sentence_and_leaves_nothing(geoseg, checkpoint, tmp_path) -> None:
    path = checkpoint()
    path.write_bytes(path.read_bytes()[:-100])
    result = geoseg("import-zoo", path, "-o", tmp_path / "m.safetensors")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {path} is no PyTorch checkpoint, or it is damaged\nHint: ")
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_a_recipe_of_a_benchmark_names_classes_bands_and_gsd(tmp_path) -> None:
    made = network(section(), classes=6)
    torch.save({"state_dict": zoo_state(made)}, tmp_path / "bare.pth")
    card = import_zoo(tmp_path / "bare.pth", tmp_path / "m.safetensors", recipe=load_recipe("vaihingen")).bundle.card
    assert card.legend.names[:2] == ("impervious_surface", "building")
    assert card.bands == ("nir", "red", "green")
    assert card.gsd == 0.09
