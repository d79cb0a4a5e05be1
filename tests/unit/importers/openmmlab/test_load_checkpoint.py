"""Tests of loading OpenMMLab checkpoints as networks."""

import pytest
import torch
from helpers.openmmlab import CLASSES, config, meta_0x, meta_1x, network, openmmlab_state, section

from geoseg.errors import BundleError
from geoseg.importers.openmmlab.load_checkpoint import load_checkpoint

MODEL = section()


@pytest.fixture(scope="module")
def made():
    torch.manual_seed(0)
    return network(MODEL)


def logits(of):
    torch.manual_seed(1)
    with torch.no_grad():
        return of(torch.randn(1, 3, 33, 47))


def load(folder, state, meta=None, model=None):
    torch.save({"meta": meta or {}, "state_dict": state}, folder / "a.pth")
    return load_checkpoint(folder / "a.pth", model)


@pytest.mark.parametrize("meta", [meta_0x(), meta_1x()], ids=["0.x", "1.x"])
def test_logits_are_equal(made, tmp_path, meta) -> None:
    loaded = load(tmp_path, openmmlab_state(made), meta)
    assert torch.equal(logits(loaded.network), logits(made))
    assert not loaded.network.training
    assert loaded.model == MODEL
    assert (loaded.bands, loaded.classes, loaded.file.class_names) == (3, 3, CLASSES)


def test_names_of_a_parallel_network_are_accepted(made, tmp_path) -> None:
    parallel = {f"module.{key}": value for key, value in openmmlab_state(made).items()}
    assert torch.equal(logits(load(tmp_path, parallel).network), logits(made))


def test_auxiliary_head_is_optional(made, tmp_path) -> None:
    slim = {key: value for key, value in openmmlab_state(made).items() if not key.startswith("auxiliary_head.")}
    loaded = load(tmp_path, slim)
    assert loaded.network.auxiliary is None
    assert loaded.model.auxiliary_weight == 0
    assert torch.equal(logits(loaded.network), logits(made))


def test_float16_weights_become_float32(made, tmp_path) -> None:
    half = {key: value.half() if value.is_floating_point() else value for key, value in openmmlab_state(made).items()}
    assert torch.equal(logits(load(tmp_path, half).network), logits(made))


def test_settings_change_the_network(made, tmp_path) -> None:
    model = section(output_stride=16, multi_grid=(1, 2), align_corners=True)
    asked = load(tmp_path, openmmlab_state(made), model=model)
    assert asked.model == model
    assert not torch.equal(logits(asked.network), logits(made))
    own = load(tmp_path, openmmlab_state(made), meta_0x(config=config(branches="(1, 6, 12, 18)")), model)
    assert own.model.head.options == {**MODEL.head.options, "dilations": [6, 12, 18]}
    assert own.model.output_stride == 8


def test_building_does_not_change_the_random_state(made, tmp_path) -> None:
    before = torch.random.get_rng_state()
    load(tmp_path, openmmlab_state(made))
    assert torch.equal(before, torch.random.get_rng_state())


def test_mismatch_names_the_first_differing_keys(made, tmp_path) -> None:
    state = openmmlab_state(made)
    state["decode_head.psp_modules.0.1.conv.weight"] = torch.zeros(1)
    del state["decode_head.image_pool.1.conv.weight"]
    message = r"lacks decode_head\.image_pool\.1\.conv\.weight; it has decode_head\.psp_modules\.0\.1\.conv\.weight"
    with pytest.raises(BundleError, match=message):
        load(tmp_path, state)


def test_single_output_is_refused(tmp_path) -> None:
    with pytest.raises(BundleError, match="a single output"):
        load(tmp_path, openmmlab_state(network(MODEL, classes=1)))


@pytest.mark.parametrize(
    ("branches", "message"),
    [
        ((1,) * 1000, "the network of .* cannot be built: head deeplabv3plus: dilations: "),
        ((1, 12, 24, 10**12), "the network of .* cannot be built: head deeplabv3plus: dilations: "),
    ],
)
def test_configuration_of_an_absurd_network_is_refused_in_one_sentence(made, tmp_path, branches, message) -> None:
    with pytest.raises(BundleError, match=message) as error:
        load(tmp_path, openmmlab_state(made), meta_0x(config=config(branches=str(branches))))
    assert len(error.value.message) < 300
    assert error.value.hint


def test_more_classes_than_a_mask_can_hold_are_refused(made, tmp_path) -> None:
    state = openmmlab_state(made)
    state["decode_head.conv_seg.weight"] = torch.zeros(100_000, 8, 1, 1)
    state["decode_head.conv_seg.bias"] = torch.zeros(100_000)
    with pytest.raises(BundleError, match="the checkpoint's network has 100,000 classes"):
        load(tmp_path, state)
