"""Checkpoints in the formats of OpenMMLab, of very small networks."""

import torch

from geoseg.config.component_spec import Component
from geoseg.config.recipe import ModelSection
from geoseg.models.build import build_network
from geoseg.models.weights.openmmlab_names import to_openmmlab_name

torch.set_num_threads(1)

CLASSES = ("water", "land", "ice")
PALETTE = [[0, 0, 255], [0, 200, 0], [240, 240, 240]]


def section(backbone="resnet18", head="deeplabv3plus", *, channels=8, auxiliary=True, **changes):
    """A recipe's model section for a narrow head."""
    options = {"channels": channels} | ({"low_level_channels": 4} if head == "deeplabv3plus" else {})
    part = Component(name=head, options=options)
    return ModelSection(
        backbone=Component(name=backbone), head=part, auxiliary_weight=0.4 if auxiliary else 0.0, **changes
    )


def network(model, *, bands=3, classes=3, device="cpu"):
    """A network whose norms have seen something; weights that half precision holds exactly."""
    with torch.device(device):
        made = build_network(model, bands=bands, classes=classes)
        made.train()(torch.randn(2, bands, 32, 32))
    for tensor in made.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half())
    return made.eval()


def openmmlab_state(made):
    """Return the weights of a network under the names of OpenMMLab."""
    state = made.state_dict()
    deep = "backbone.conv1.0.weight" in state
    return {to_openmmlab_name(key, deep_stem=deep): value for key, value in state.items()}


def meta_0x(*, classes=CLASSES, palette=PALETTE, config=""):
    """What a published 0.x file says of itself."""
    return {"mmseg_version": "0.20.0", "config": config, "CLASSES": classes, "PALETTE": palette, "iter": 80000}


def meta_1x(*, classes=CLASSES, palette=PALETTE, config=""):
    """What a 1.x file says of itself."""
    dataset = {"classes": classes, "palette": palette}
    return {"mmengine_version": "0.10.7", "cfg": config, "dataset_meta": dataset, "hook_msgs": {}, "iter": 80000}


def config(
    *,
    strides="(1, 2, 1, 1)",
    dilations="(1, 1, 2, 4)",
    backbone="contract_dilation=True",
    head="",
    branches="(1, 12, 24, 36)",
    more="",
):
    """Return the configuration of a training in the format of OpenMMLab."""
    return f"""norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='ResNetV1c', dilations={dilations}, strides={strides}, norm_cfg=dict(type='BN'), {backbone}),
    decode_head=dict(
        type='ASPPHead', {head}, dilations={branches}, loss_decode=dict(type='CrossEntropyLoss')),
    auxiliary_head=dict(type='FCNHead', align_corners=True))
{more}
"""
