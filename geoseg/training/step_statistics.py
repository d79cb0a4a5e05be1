"""Watching a training: is the loss a number, how fast does it go, what is worth a line."""

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
from geoseg.training.loop import StepDone

PATIENCE = 25
"""Steps whose losses may stay on a GPU before they are looked at: each look waits for the device."""
HINT = "look at these pixels; or lower train.learning_rate, raise train.warmup, set train.clip_gradient"
MEMORY_OF_SPEED = 50
"""Steps over which speed is averaged."""


class Watch:
    """Takes in every step; says loss, speed and memory, and stops a run whose loss is no number.

    ``crops`` names the crops of an iteration, for the message.
    """

    def __init__(self, fabric: Fabric, batch: int, crops: Callable[[int], str]) -> None:
        self.fabric, self.batch, self.crops = fabric, batch, crops
        self.loss = float("nan")
        """Mean over all processes, of the newest step that was looked at."""
        self.learning_rate = 0.0
        self._pending: list[StepDone] = []
        self._recent: deque[StepDone] = deque(maxlen=MEMORY_OF_SPEED)

    def add(self, step: StepDone) -> None:
        """Takes in a step. :class:`GeosegError` if its loss is no number (on a GPU up to some steps later)."""
        self._pending.append(step)
        self._recent.append(step)
        self.learning_rate = step.learning_rate
        is_cheap = self.fabric.device.type == "cpu"
        if is_cheap or math.isnan(self.loss) or len(self._pending) >= PATIENCE:
            self.settle()

    def settle(self) -> None:
        """Looks at all losses that were not looked at yet."""
        if not self._pending:
            return
        started = time.perf_counter()
        pending, self._pending = self._pending, []
        together: Any = self.fabric.all_reduce(torch.stack([step.loss for step in pending]), reduce_op="mean")
        losses = together.tolist()
        # Here the processor waits for what it only ordered in the steps.
        newest = self._recent.pop()
        self._recent.append(newest._replace(seconds=newest.seconds + time.perf_counter() - started))
        for step, loss in zip(pending, losses, strict=True):
            if not math.isfinite(loss):
                raise GeosegError(
                    f"the loss is {loss} at iteration {step.iteration - 1}, on {self.crops(step.iteration - 1)}",
                    HINT,
                )
        self.loss = losses[-1]

    def require_finite(self, network: nn.Module, iteration: int) -> None:
        """:class:`GeosegError` if weights are no numbers after an iteration, though its loss was one."""
        self.settle()
        weights = [weight for weight in network.state_dict().values() if weight.is_floating_point()]
        if not torch.stack([weight.isfinite().all() for weight in weights]).all():
            raise GeosegError(
                f"weights are no numbers after iteration {iteration}, which was on {self.crops(iteration - 1)}", HINT
            )

    @property
    def images_per_second(self) -> float:
        """Crops of all processes per second, over the last steps."""
        seconds = sum(step.seconds for step in self._recent)
        return len(self._recent) * self.batch / seconds if seconds else 0.0

    @property
    def wait_share(self) -> float:
        """Share of the time that was spent waiting for crops, over the last steps."""
        seconds = sum(step.seconds for step in self._recent)
        return sum(step.waited for step in self._recent) / seconds if seconds else 0.0

    @property
    def memory_gb(self) -> float:
        """Most memory used so far, GB: the device's on a GPU, else the process's."""
        if self.fabric.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.fabric.device) / 1e9
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used / (1e9 if sys.platform == "darwin" else 1e6)  # bytes on macOS, kB elsewhere

    def line(self) -> str:
        """What stands beside the progress bar."""
        return (
            f"loss {self.loss:.3f}, lr {self.learning_rate:.2g}, {self.images_per_second:.1f} images/s, "
            f"{100 * self.wait_share:.0f} % wait, {self.memory_gb:.1f} GB"
        )

    def numbers(self) -> dict[str, float]:
        """The same for log files."""
        return {
            "loss": self.loss,
            "learning_rate": self.learning_rate,
            "images_per_second": self.images_per_second,
            "wait_share": self.wait_share,
            "memory_gb": self.memory_gb,
        }
