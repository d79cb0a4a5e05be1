"""The optimiser and how its learning rate falls."""

import math
from collections.abc import Callable, Iterable

from torch.nn import Parameter
from torch.optim import SGD, AdamW, Optimizer

from geoseg.config.recipe import TrainSection


def build_optimizer(parameters: Iterable[Parameter], train: TrainSection) -> Optimizer:
    """The optimiser of a train section, over all parameters alike (weight decay too, as in the zoo)."""
    if train.optimizer == "adamw":
        return AdamW(parameters, lr=train.learning_rate, weight_decay=train.weight_decay)
    return SGD(parameters, lr=train.learning_rate, momentum=train.momentum, weight_decay=train.weight_decay)


def learning_rate(train: TrainSection, step: int) -> float:
    """The learning rate of a step (0 … iterations - 1): a linear rise, then a fall to the final learning rate.

    The polynomial is that of mmengine's PolyLR, end + (start - end) (1 - t)^power with t = step / (iterations - 1).
    """
    if step < train.warmup:
        return train.learning_rate * (step + 1) / (train.warmup + 1)
    falls: dict[str, Callable[[float], float]] = {
        "poly": lambda t: (1 - t) ** train.power,
        "cosine": lambda t: (1 + math.cos(math.pi * t)) / 2,
    }
    t = min((step - train.warmup) / max(train.iterations - train.warmup - 1, 1), 1.0)
    return train.final_learning_rate + (train.learning_rate - train.final_learning_rate) * falls[train.schedule](t)
