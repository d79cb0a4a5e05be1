"""Compare losses on random logits and targets: cross-entropy with both ways of averaging, and OHEM."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Literal

import torch
from mmseg.models.losses import CrossEntropyLoss
from mmseg.structures.sampler import OHEMPixelSampler
from networks import largest
from part import Part
from torch import Tensor

from geoseg.losses.cross_entropy import CrossEntropy
from geoseg.losses.ohem import Ohem

CLASSES = 6
UNLABELLED = (0.0, 0.3, 0.95)
"""Fractions of unlabeled pixels in the batches."""
MINED = ((500, None), (50, 0.3), (500, 0.01), (100_000, None), (100_000, 0.3))
"""Number of pixels to keep per image, out of 5120, and threshold. In the last case, geoseg keeps one more pixel (see the
docstring of its OHEM)."""

Loss = Callable[[Tensor, Tensor], Tensor]


def compare_losses() -> Iterator[Part]:
    """Compare cross-entropy with both ways of averaging and with weights, and OHEM with and without a threshold."""
    weights = [0.5, 1.0, 2.0, 1.5, 0.1, 3.0]
    for words, theirs, ours, shares in (
        ("mean over all pixels", CrossEntropyLoss(), entropy("all"), UNLABELLED),
        ("mean over labeled pixels", CrossEntropyLoss(avg_non_ignore=True), entropy("valid"), UNLABELLED),
        # Without unlabeled pixels, because mmsegmentation also looks up a weight for 255, which fails.
        ("class weights", CrossEntropyLoss(class_weight=weights), entropy("valid", weights), UNLABELLED[:1]),
    ):
        yield compare_loss(f"cross-entropy, {words}", theirs, ours, shares=shares)
    for kept, threshold in MINED:
        name = f"OHEM, {kept} pixels per image" + (f", threshold {threshold}" if threshold else "")
        ours = Ohem(classes=CLASSES, kept=kept, threshold=threshold, average="all")
        part = compare_loss(name, mined(kept, threshold), ours, shares=UNLABELLED[:2])
        yield part._replace(expected=(kept, threshold) == MINED[-1])


def entropy(average: Literal["all", "valid"], weights: list[float] | None = None) -> CrossEntropy:
    return CrossEntropy(classes=CLASSES, average=average, class_weights=weights)


def mined(kept: int, threshold: float | None) -> Loss:
    """Return mmsegmentation's cross-entropy over the pixels that its OHEM sampler selects."""
    cross_entropy = CrossEntropyLoss()
    head = SimpleNamespace(ignore_index=255, loss_decode=cross_entropy)
    sampler = OHEMPixelSampler(head, thresh=threshold, min_kept=kept)

    def loss(logits: Tensor, target: Tensor, **options: int) -> Tensor:
        return cross_entropy(logits, target, weight=sampler.sample(logits, target[:, None]), **options)

    return loss


def compare_loss(name: str, theirs: Loss, ours: Loss, *, shares: tuple[float, ...]) -> Part:
    """Compare values and gradients on batches with these fractions of unlabeled pixels."""
    worst = 0.0
    for share in shares:
        logits, target = noise(share)
        told = value_and_gradient(lambda *pair: theirs(*pair, ignore_index=255), logits, target)
        own = value_and_gradient(ours, logits, target)
        worst = max([worst, *(largest(one - other) / largest(one) for one, other in zip(told, own, strict=True))])
    return Part(
        name, "unlabeled: " + ", ".join(f"{share:.0%}" for share in shares), worst, "value and gradient, relative"
    )


def noise(unlabelled: float) -> tuple[Tensor, Tensor]:
    """Return logits (2, class, 64, 80) and targets (2, 64, 80)."""
    generator = torch.Generator().manual_seed(3)
    target = torch.randint(CLASSES, (2, 64, 80), generator=generator)
    target[torch.rand(target.shape, generator=generator) < unlabelled] = 255
    return 3 * torch.randn(2, CLASSES, 64, 80, generator=generator), target


def value_and_gradient(loss: Loss, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    leaf = logits.clone().requires_grad_()
    value = loss(leaf, target)
    value.backward()
    assert leaf.grad is not None
    return value.detach(), leaf.grad
