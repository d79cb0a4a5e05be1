"""Track the loss, speed and memory use of training steps, and stop a run whose loss is not finite."""

import math
import resource
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import nn

from geoseg.errors import GeosegError
from geoseg.training.optimizer_steps import StepResult

MAX_PENDING_STEPS = 25
"""Number of steps between synchronizations of the loss from a GPU to the host."""
DIVERGENCE_HINT = "check these pixels, or lower train.learning_rate, raise train.warmup, or set train.clip_gradient"
SPEED_WINDOW_STEPS = 50
"""Number of steps over which the speed is averaged."""


class StepStatistics:
    """Loss, speed and memory use of recent steps.

    Args:
        fabric: The Fabric instance that runs the training.
        batch: Number of crops per step across all processes.
        describe_crops: Function that returns a description of the crops in an iteration, for error messages.
    """

    def __init__(self, fabric: Fabric, batch: int, describe_crops: Callable[[int], str]) -> None:
        self.fabric, self.batch, self.describe_crops = fabric, batch, describe_crops
        self.loss = float("nan")
        """Mean loss over all processes in the last synchronized step."""
        self.learning_rate = 0.0
        self._pending: list[StepResult] = []
        self._recent: deque[StepResult] = deque(maxlen=SPEED_WINDOW_STEPS)

    def add(self, step: StepResult) -> None:
        """Add a step.

        Raises:
            GeosegError: If the loss is not finite; on a GPU, this is raised up to :data:`MAX_PENDING_STEPS` steps later.
        """
        self._pending.append(step)
        self._recent.append(step)
        self.learning_rate = step.learning_rate
        is_cheap = self.fabric.device.type == "cpu"
        if is_cheap or math.isnan(self.loss) or len(self._pending) >= MAX_PENDING_STEPS:
            self.synchronize()

    def synchronize(self) -> None:
        """Read the losses of all pending steps from the device."""
        if not self._pending:
            return
        started = time.perf_counter()
        pending, self._pending = self._pending, []
        reduced: Any = self.fabric.all_reduce(torch.stack([step.loss for step in pending]), reduce_op="mean")
        losses = reduced.tolist()
        # The time spent waiting for the device is added to the newest step.
        newest = self._recent.pop()
        self._recent.append(newest._replace(seconds=newest.seconds + time.perf_counter() - started))
        for step, loss in zip(pending, losses, strict=True):
            if not math.isfinite(loss):
                raise GeosegError(
                    f"the loss is {loss} at iteration {step.iteration - 1}, on {self.describe_crops(step.iteration - 1)}",
                    DIVERGENCE_HINT,
                )
        self.loss = losses[-1]

    def require_finite(self, network: nn.Module, iteration: int) -> None:
        """Check that the loss and the weights are finite after an iteration.

        Raises:
            GeosegError: If they are not.
        """
        self.synchronize()
        weights = [weight for weight in network.state_dict().values() if weight.is_floating_point()]
        if not torch.stack([weight.isfinite().all() for weight in weights]).all():
            raise GeosegError(
                f"weights are not finite after iteration {iteration}, on {self.describe_crops(iteration - 1)}",
                DIVERGENCE_HINT,
            )

    @property
    def images_per_second(self) -> float:
        """Crops per second across all processes, averaged over recent steps."""
        seconds = sum(step.seconds for step in self._recent)
        return len(self._recent) * self.batch / seconds if seconds else 0.0

    @property
    def wait_share(self) -> float:
        """Fraction of the time spent waiting for crops, averaged over recent steps."""
        seconds = sum(step.seconds for step in self._recent)
        return sum(step.waited for step in self._recent) / seconds if seconds else 0.0

    @property
    def memory_gb(self) -> float:
        """Peak memory use in GB: device memory on a GPU, otherwise the memory of the process."""
        if self.fabric.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.fabric.device) / 1e9
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used / (1e9 if sys.platform == "darwin" else 1e6)  # bytes on macOS, kB elsewhere

    def summary(self) -> str:
        """Return a one-line summary for the progress bar."""
        return (
            f"loss {self.loss:.3f}, lr {self.learning_rate:.2g}, {self.images_per_second:.1f} images/s, "
            f"{100 * self.wait_share:.0f}% waiting for data, {self.memory_gb:.1f} GB"
        )

    def values(self) -> dict[str, float]:
        """Return the values for log files."""
        return {
            "loss": self.loss,
            "learning_rate": self.learning_rate,
            "images_per_second": self.images_per_second,
            "wait_share": self.wait_share,
            "memory_gb": self.memory_gb,
        }
