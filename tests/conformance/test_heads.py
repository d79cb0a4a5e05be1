"""What every head promises, on each of two backbones. A head is tested by being there."""

import pytest
import torch
from helpers.networks import experienced, norms, relative

from geoseg.config.component_spec import Component
from geoseg.config.recipe import ModelSection
from geoseg.models.build import build_network
from geoseg.models.engines.bf16_split_input import convert_to_split_input, split_bf16
from geoseg.models.engines.fuse_conv_bn import fuse_conv_bn
from geoseg.models.heads import heads
from geoseg.models.network import SegmentationNetwork

CLASSES = 5

every_head = pytest.mark.parametrize("head", heads.names())
two_backbones = pytest.mark.parametrize("backbone", ["resnet18", "mobilenetv3_small_050"])


def network(head: str, backbone: str = "resnet18", *, bands: int = 3, **section) -> SegmentationNetwork:
    model = ModelSection(backbone=Component(name=backbone), head=Component(name=head), **section)
    return build_network(model, bands=bands, classes=CLASSES)


@every_head
@two_backbones
@pytest.mark.parametrize("size", [(33, 47), (1, 1), (64, 64)])
def test_logits_have_the_size_of_the_images(head, backbone, size) -> None:
    net = network(head, backbone).eval()
    with torch.no_grad():
        assert net(torch.randn(1, 3, *size)).shape == (1, CLASSES, *size)


@every_head
@pytest.mark.parametrize("bands", [1, 4, 13])
def test_images_may_have_any_number_of_bands(head, bands) -> None:
    with torch.no_grad():
        logits = network(head, bands=bands).eval()(torch.randn(1, bands, 32, 40))
    assert logits.shape == (1, CLASSES, 32, 40)


@every_head
@two_backbones
def test_gradients_reach_every_parameter(head, backbone) -> None:
    net = network(head, backbone)
    logits, auxiliary = net.logits_with_auxiliary(torch.randn(net.smallest_batch, 3, 33, 47))
    assert auxiliary is not None
    assert auxiliary.shape == logits.shape
    (logits.square().mean() + auxiliary.square().mean()).backward()
    unreached = [name for name, each in net.named_parameters() if each.grad is None or not each.grad.isfinite().all()]
    assert unreached == []


@every_head
def test_the_smallest_batch_can_be_trained_and_a_smaller_one_not_promised(head) -> None:
    net = network(head)
    assert net.smallest_batch in {1, 2}
    net(torch.randn(net.smallest_batch, 3, 32, 32))


@every_head
def test_weights_survive_saving(head, tmp_path) -> None:
    net, other = network(head).eval(), network(head).eval()
    torch.save(net.state_dict(), tmp_path / "weights.pth")
    other.load_state_dict(torch.load(tmp_path / "weights.pth", weights_only=True), strict=True)
    images = torch.randn(1, 3, 33, 47)
    with torch.no_grad():
        assert torch.equal(net(images), other(images))


@every_head
def test_a_network_can_be_exported(head) -> None:
    net = network(head, auxiliary_weight=0).eval()
    images = torch.randn(1, 3, 64, 64)
    exported = torch.export.export(net, (images,)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(images), net(images))


@every_head
@two_backbones
def test_folding_leaves_no_norm_and_changes_no_logit(head, backbone) -> None:
    net = experienced(network(head, backbone, auxiliary_weight=0))
    images = torch.randn(1, 3, 33, 47)
    with torch.no_grad():
        assert norms(fuse_conv_bn(net, 3)) == 0
        assert relative(fuse_conv_bn(net, 3)(images), net(images)) < 1e-4


@every_head
@two_backbones
def test_images_in_halves_change_no_logit(head, backbone) -> None:
    net = experienced(network(head, backbone))
    images = torch.randn(1, 3, 33, 47)
    split = convert_to_split_input(fuse_conv_bn(net, 3), 3)
    assert split is not None
    with torch.no_grad():
        assert relative(split(split_bf16(images)), net(images)) < 1e-4


@every_head
def test_one_image_can_be_learnt_by_heart(head) -> None:
    torch.manual_seed(0)
    net = network(head, "mobilenetv3_small_050")
    images = torch.randn(2, 3, 32, 32)
    target = (images.mean(dim=1) > 0).long()
    target = torch.nn.functional.max_pool2d(target.float(), 9, stride=1, padding=4).long()
    descent = torch.optim.Adam(net.parameters(), lr=1e-3)
    course = []
    for _ in range(12):
        descent.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(images), target)
        loss.backward()
        descent.step()
        course.append(loss.item())
    assert min(course) < 0.8 * course[0]
