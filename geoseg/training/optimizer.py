"""Build the optimizer and compute its learning rate schedule."""

import math
from collections.abc import Callable, Iterable

from torch.nn import Parameter
from torch.optim import SGD, AdamW, Optimizer

from geoseg.config.recipe import TrainSection


def build_optimizer(parameters: Iterable[Parameter], train: TrainSection) -> Optimizer:
    """Build the optimizer of a train section. Weight decay applies to all parameters, as in mmsegmentation."""
    if train.optimizer == "adamw":
        return AdamW(parameters, lr=train.learning_rate, weight_decay=train.weight_decay)
    return SGD(parameters, lr=train.learning_rate, momentum=train.momentum, weight_decay=train.weight_decay)


def compute_learning_rate(train: TrainSection, step: int) -> float:
    """Compute the learning rate of a step: a linear warm-up, then decay to the final learning rate.

    The polynomial schedule is that of mmengine's PolyLR, end + (start - end) (1 - t)^power with
    t = step / (iterations - 1).

    Args:
        train: Train section of a recipe.
        step: Step number, 0 to iterations - 1.
    """
    if step < train.warmup:
        return train.learning_rate * (step + 1) / (train.warmup + 1)
    decays: dict[str, Callable[[float], float]] = {
        "poly": lambda t: (1 - t) ** train.power,
        "cosine": lambda t: (1 + math.cos(math.pi * t)) / 2,
    }
    t = min((step - train.warmup) / max(train.iterations - train.warmup - 1, 1), 1.0)
    return train.final_learning_rate + (train.learning_rate - train.final_learning_rate) * decays[train.schedule](t)
