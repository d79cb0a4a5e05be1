"""One training session: steps, and between them validation, checkpoints and what is told."""

import contextlib
import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lightning.fabric import Fabric
from torch.optim import Optimizer

from geoseg.config.recipe import Recipe
from geoseg.data.preparation.prepared_dataset import Prepared
from geoseg.errors import GeosegError
from geoseg.models.network import SegmentationNetwork
from geoseg.progress import NOTICE, Progress, Task
from geoseg.training.best_checkpoint import KeepBest
from geoseg.training.checkpoint import Checkpoint, Standing
from geoseg.training.crop_batches import TrainingCrops
from geoseg.training.determinism import cost_of_determinism
from geoseg.training.distributed import share_of
from geoseg.training.interrupts import Stop, Stopped
from geoseg.training.loggers import METRICS, Logbook, open_logbook
from geoseg.training.loop import StepDone, steps
from geoseg.training.module import TrainingStep
from geoseg.training.plots import CropPictures, draw_curves
from geoseg.training.step_statistics import Watch
from geoseg.training.validation import Validation, Validator
from geoseg.training.weight_average import AveragedNetwork

LOG_EVERY = 50
"""Steps between two rows of the log, as in the zoo."""

logger = logging.getLogger(__name__)


@dataclass
class Session:
    """A run at work, in one of its processes."""

    fabric: Fabric
    recipe: Recipe
    prepared: Prepared
    run: Path
    """The run's folder."""
    step: TrainingStep
    optimizer: Optimizer
    average: AveragedNetwork | None
    standing: Standing
    keeper: KeepBest
    crops: TrainingCrops
    wrapped: Any = field(init=False)
    """The step as Fabric runs it: on its device, exchanging gradients, compiled if the recipe wishes."""
    watch: Watch = field(init=False)
    validator: Validator = field(init=False)
    log: Logbook = field(init=False)
    pictures: CropPictures | None = field(init=False, default=None)
    words: Any = field(init=False, default=None)
    """Through it processes tell each other things without a GPU having to wait."""

    def __post_init__(self) -> None:
        train = self.recipe.train
        step: Any = torch.compile(self.step) if train.compile else self.step
        self.wrapped, self.optimizer = self.fabric.setup(step, self.optimizer)
        if self.average is not None:
            self.average.network.to(self.fabric.device)
        self.words = dist.new_group(backend="gloo") if self.fabric.world_size > 1 else None
        self.watch = Watch(self.fabric, train.batch, self.crops.named)
        self.validator = Validator(self.fabric, self.recipe, self.prepared)
        if self.fabric.is_global_zero:
            self.pictures = CropPictures(self.prepared)
            columns = [*self.watch.numbers(), *self.validator.score_names]
            recipe = self.recipe.model_dump(mode="json")
            self.log = open_logbook(self.run, recipe, train.loggers, columns, done=self.standing.iteration)
        else:
            self.log = Logbook(())

    @property
    def network(self) -> SegmentationNetwork:
        """The network that is trained."""
        return self.step.network

    def restore(self, held: Checkpoint) -> None:
        """Takes in what a checkpoint holds beside the network's weights."""
        self.optimizer.load_state_dict(dict(held.optimizer))
        if self.average is not None and held.average is not None:
            self.average.network.load_state_dict(held.average)
        if held.precision:
            self.fabric.strategy.precision.load_state_dict(dict(held.precision))

    def train(self, stop: Stop, progress: Progress) -> None:
        """Trains what is left; :class:`Stopped` after a signal, with a checkpoint to go on from."""
        train, done = self.recipe.train, self.standing.iteration
        if not done:
            self._save(finished=False)  # a run can go on from its first moment, and a full disk is told of now
            self._tell_cost()
        work = steps(self.fabric, self.wrapped, self.optimizer, self.crops.loader(done), train, done=done)
        with contextlib.closing(work), progress(train.iterations, "training", done=done) as task, self._last_row():
            for each in work:
                self._after(each, task)
                if self._is_over(each.iteration, stop):
                    break

    @contextlib.contextmanager
    def _last_row(self) -> Iterator[None]:
        """A run that fails leaves the numbers of its last steps in the log."""
        try:
            yield
        except Stopped:
            raise
        except GeosegError:
            if not math.isnan(self.watch.loss):
                with contextlib.suppress(GeosegError):
                    self.log.write(self.standing.iteration, self.watch.numbers())
            raise

    def _tell_cost(self) -> None:
        """Says what deterministic kernels cost on this GPU; CPUs have them anyhow."""
        train = self.recipe.train
        if train.deterministic and self.fabric.device.type == "cuda":
            share = share_of(train, self.fabric.world_size)
            shape = (share, len(self.prepared.bands), train.crop, train.crop)
            cost = cost_of_determinism(self.fabric, self.step, shape)
            logger.log(NOTICE, "deterministic: true makes a pass %.2f times as long here.", cost)

    def _after(self, done: StepDone, task: Task) -> None:
        """What every step brings: it is counted, averaged, told and logged."""
        self.standing.iteration = done.iteration
        self.watch.add(done)
        if self.average is not None:
            self.average.update(self.network, done.iteration)
        best = "" if self.standing.best is None else f", best {self.recipe.train.monitor} {self.standing.best:.3f}"
        task.advance(note=self.watch.line() + best)
        if done.iteration % LOG_EVERY == 0 and not self._validates(done.iteration):
            self.watch.settle()
            self.log.write(done.iteration, self.watch.numbers())

    def _validates(self, iteration: int) -> bool:
        """True if a validation is due after an iteration."""
        train = self.recipe.train
        return iteration == train.iterations or iteration % min(train.validate_every, train.iterations) == 0

    def _is_over(self, iteration: int, stop: Stop) -> bool:
        """Validates and saves when it is time; True if nothing more is to be done, :class:`Stopped` after a signal."""
        train = self.recipe.train
        last = iteration == train.iterations
        ended = False
        if self._validates(iteration):
            self.watch.require_finite(self.network, iteration)
            self._validate()
            ended = train.patience is not None and self.standing.waited >= train.patience
        stopped = 0 if last else self._told_to_stop(stop)
        if last or ended or stopped or iteration % train.checkpoint_every == 0:
            self.watch.require_finite(self.network, iteration)  # a checkpoint without numbers is worth nothing
            self._save(finished=last or ended)
        if stopped and not ended:
            self.fabric.barrier()  # a process that ends takes the others along: not before the checkpoint is written
            raise Stopped(self.run, iteration, stopped)
        if ended and not last:
            logger.log(NOTICE, "Ended early: no better %s in %d validations.", train.monitor, train.patience)
        return ended

    def _told_to_stop(self, stop: Stop) -> int:
        """The signal that any of the processes was told to stop by, the same in all of them; 0 if none was."""
        if self.words is None:
            return stop.signal
        told = torch.tensor(stop.signal)
        dist.all_reduce(told, dist.ReduceOp.MAX, group=self.words)
        return int(told)

    def _validate(self) -> None:
        network = self.network if self.average is None else self.average.network
        validation = self.validator.run(self.step, network)
        is_best = self.keeper.offer(network, validation)
        if self.fabric.is_global_zero:
            self._tell(validation, is_best=is_best)

    def _tell(self, validation: Validation, *, is_best: bool) -> None:
        iteration = self.standing.iteration
        best = "the best so far" if is_best else f"best: iteration {self.standing.best_iteration}"
        logger.log(
            NOTICE, "Iteration %d: %s (%s)\n%s", iteration, self.watch.line(), best, "\n".join(validation.table())
        )
        self.log.write(iteration, {**self.watch.numbers(), **validation.scores()})
        assert self.pictures is not None
        network = self.network if self.average is None else self.average.network
        self.pictures.draw(self.fabric, self.step, network, self.run / "validation.png")
        draw_curves(self.run / "log" / METRICS, self.run / "curves.png", name=self.run.name)

    def _save(self, *, finished: bool) -> None:
        """Writes the checkpoint, in the first process."""
        if not self.fabric.is_global_zero:
            return
        Checkpoint(
            recipe=self.recipe.model_dump(mode="json"),
            data=self.prepared.digest,
            standing=self.standing,
            network=self.network.state_dict(),
            optimizer=self.optimizer.state_dict(),
            average=None if self.average is None else self.average.network.state_dict(),
            precision=self.fabric.strategy.precision.state_dict(),
            finished=finished,
        ).save(self.run)
