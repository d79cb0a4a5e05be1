"""Compare training: the learning rate of each step, and the weights after some steps."""

from pathlib import Path

import peer
import torch
from mmengine.config import Config
from mmengine.optim import PolyLR, build_optim_wrapper
from networks import batch, imported, largest, our_loss
from part import Part
from torch import nn
from torch.optim import SGD

from geoseg.config.recipe import TrainSection
from geoseg.models.network import SegmentationNetwork
from geoseg.training.optimizer_steps import build_optimizer, compute_learning_rate

STEPS = 10
TRAINED = "deeplabv3plus_r18-d8_4xb4-80k_potsdam-512x512"
"""Configuration of the trained network."""


def compare_schedules() -> Part:
    """Compare the learning rate of each step."""
    train = TrainSection()
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=train.learning_rate)
    schedule = PolyLR(optimizer, eta_min=1e-4, power=0.9, begin=0, end=80_000, by_epoch=False)
    worst = 0.0
    for step in range(train.iterations):
        worst = max(worst, abs(compute_learning_rate(train, step) / optimizer.param_groups[0]["lr"] - 1))
        optimizer.step()
        schedule.step()
    return Part("PolyLR", f"{train.iterations} steps", worst, "learning rate, relative")


def compare_steps() -> Part:
    """Compare the weights after some steps, with the losses, optimizer and schedule of each library."""
    path = next(path for path in peer.configurations() if path.stem == TRAINED)
    theirs = peer.build(path)
    peer.randomise(theirs, seed=4)
    ours = imported(theirs, path).network
    train_theirs(theirs.train(), path)
    train_ours(ours.train(), path)
    told = imported(theirs, path).network.state_dict()
    worst = max(largest(each - told[key]) for key, each in ours.state_dict().items() if each.is_floating_point())
    return Part(f"training, {STEPS} steps of SGD", f"`{TRAINED}`", worst, "weights and statistics")


def train_theirs(network: nn.Module, path: Path) -> None:
    """Train as in mmengine's loop, with the optimizer and schedule of the configuration."""
    config = Config.fromfile(path)
    optimizer = build_optim_wrapper(network, config.optim_wrapper)
    schedule = PolyLR(optimizer, **{key: value for key, value in config.param_scheduler[0].items() if key != "type"})
    torch.manual_seed(5)
    images, target = batch(network.num_classes)
    for _ in range(STEPS):
        told = network.loss(images, peer.samples(target))
        optimizer.update_params(sum(value for key, value in told.items() if "loss" in key))
        schedule.step()


def train_ours(network: SegmentationNetwork, path: Path) -> None:
    """Train as geoseg does, with the defaults of a recipe."""
    train = TrainSection()
    optimizer = build_optimizer(network.parameters(), train)
    torch.manual_seed(5)
    images, target = batch(network.head.conv_seg.out_channels)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = compute_learning_rate(train, step)
        optimizer.zero_grad()
        our_loss(network, images, target, path).backward()
        optimizer.step()
