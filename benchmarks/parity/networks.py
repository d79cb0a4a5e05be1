"""Compare an architecture in both libraries: logits, losses and gradients with the same weights from a checkpoint file."""

import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import peer
import torch
from torch import Tensor, nn

from geoseg.importers.openmmlab.load_checkpoint import OpenMMLabCheckpoint, load_checkpoint
from geoseg.losses.cross_entropy import CrossEntropy
from geoseg.losses.ohem import Ohem
from geoseg.models.network import SegmentationNetwork
from geoseg.models.weights.openmmlab_names import to_geoseg_names

SIZES = ((128, 128), (97, 131))
"""(height, width) of the images; the second size is not divisible by any stride."""
TRAINING_SIZE = 65
"""Side length of the two images in a training step in pixels."""


TINY = torch.finfo(torch.float32).tiny


class Agreement(NamedTuple):
    """Result of a comparison. Differences are maxima over all elements."""

    parameters: tuple[int, int]
    """Number of parameters including the auxiliary head, of mmsegmentation and of geoseg."""
    spread: float
    """Standard deviation of mmsegmentation's logits."""
    logits: tuple[float, ...]
    """Absolute difference of the logits, for each of :data:`SIZES`."""
    bit_equal: bool
    """Whether all logits are bit-identical."""
    same_class: float
    """Fraction of the pixels with the same argmax."""
    loss: float
    """Relative difference of the loss of the training step."""
    gradient: float
    """Difference of a gradient relative to the largest gradient of the same parameter; maximum over the parameters."""
    statistics: float
    """Absolute difference of the running statistics of the batch norms after the step."""
    legend: bool
    """Whether geoseg read all class names from the file."""


def compare(path: Path, *, seed: int) -> Agreement:
    """Compare the network of a configuration with geoseg's."""
    theirs = peer.build(path)
    peer.randomise(theirs, seed=seed)
    checkpoint = imported(theirs, path)
    ours = checkpoint.network
    counts = [sum(each.numel() for each in network.parameters()) for network in (theirs, ours)]
    return Agreement(
        parameters=(counts[0], counts[1]),
        **compare_logits(theirs, ours),
        **compare_training(theirs, ours, path),
        legend=checkpoint.file.class_names == peer.about(path)["dataset_meta"]["classes"],
    )


def imported(theirs: nn.Module, path: Path) -> OpenMMLabCheckpoint:
    """Write mmsegmentation's weights to a file as in training, and read the file with geoseg."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "checkpoint.pth"
        torch.save({"meta": peer.about(path), "state_dict": theirs.state_dict()}, file)
        return load_checkpoint(file)


def compare_logits(theirs: nn.Module, ours: SegmentationNetwork) -> dict[str, Any]:
    """Return the fields of :class:`Agreement` about logits in evaluation mode."""
    reference = peer.Logits(theirs).eval()
    pairs = []
    for size in SIZES:
        images = peer.pictures(1, size, generator=torch.Generator().manual_seed(size[0]))
        with torch.no_grad():
            pairs.append((reference(images), ours.eval()(images)))
    same = torch.cat([(one.argmax(1) == other.argmax(1)).flatten() for one, other in pairs])
    return {
        "spread": pairs[0][0].std().item(),
        "logits": tuple(largest(one - other) for one, other in pairs),
        "bit_equal": all(torch.equal(one, other) for one, other in pairs),
        "same_class": same.float().mean().item(),
    }


def compare_training(theirs: nn.Module, ours: SegmentationNetwork, path: Path) -> dict[str, Any]:
    """Return the fields of :class:`Agreement` about a training step, with the same dropout mask."""
    images, target = batch(theirs.num_classes)
    torch.manual_seed(1)
    told = theirs.train().loss(images, peer.samples(target))
    loss = sum(value for name, value in told.items() if "loss" in name)
    torch.manual_seed(1)
    own_loss = our_loss(ours.train(), images, target, path)
    loss.backward()
    own_loss.backward()
    gradients = to_geoseg_names({name: each.grad for name, each in theirs.named_parameters()})
    own = {name: each.grad for name, each in ours.named_parameters()}
    buffers, own_buffers = to_geoseg_names(dict(theirs.named_buffers())), dict(ours.named_buffers())
    return {
        "loss": abs(own_loss.item() / loss.item() - 1),
        "gradient": max(largest(own[name] - each) / max(largest(each), TINY) for name, each in gradients.items()),
        "statistics": max(largest(buffers[name] - each) for name, each in own_buffers.items()),
    }


def batch(classes: int) -> tuple[Tensor, Tensor]:
    """Return two noise images and targets that consist of patches, a tenth of which is unlabeled."""
    generator = torch.Generator().manual_seed(2)
    images = peer.pictures(2, (TRAINING_SIZE, TRAINING_SIZE), generator=generator)
    patches = torch.randint(classes, (2, 13, 13), generator=generator)
    patches[torch.rand(patches.shape, generator=generator) < 0.1] = 255
    target = patches.repeat_interleave(8, 1).repeat_interleave(8, 2)
    return images, target[:, :TRAINING_SIZE, :TRAINING_SIZE].contiguous()


def our_loss(ours: SegmentationNetwork, images: Tensor, target: Tensor, path: Path) -> Tensor:
    """Return the loss of the configuration, computed with geoseg's losses and a weight of 0.4 for the auxiliary head."""
    logits, auxiliary = ours.logits_with_auxiliary(images)
    classes = logits.shape[1]
    cross_entropy = CrossEntropy(classes=classes, average="all")
    main = Ohem(classes=classes, average="all") if "OHEM" in peer.about(path)["cfg"] else cross_entropy
    assert auxiliary is not None
    total: Tensor = main(logits, target) + 0.4 * cross_entropy(auxiliary, target)
    return total


def largest(difference: Tensor) -> float:
    """Return the largest absolute value."""
    return difference.abs().max().item()
