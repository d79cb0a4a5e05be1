"""The trainer: runs the training loop with validation, checkpoints and logging."""

import contextlib
import logging
import math
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import torch
import torch.distributed as dist
from lightning.fabric import Fabric
from lightning.fabric.strategies.ddp import DDPStrategy

from geoseg._text import percent
from geoseg.config.recipe import Recipe
from geoseg.data.preparation.prepared_dataset import PreparedDataset
from geoseg.errors import GeosegError
from geoseg.models.device import memory_format
from geoseg.models.network import SegmentationNetwork
from geoseg.models.sync_batchnorm import convert_to_sync_batchnorm
from geoseg.progress import NOTICE, Progress, Task
from geoseg.training.best_checkpoint import BestBundleSaver, build_card
from geoseg.training.checkpoint import Checkpoint, RunState
from geoseg.training.crop_batches import TrainingCrops
from geoseg.training.determinism import measure_determinism_cost
from geoseg.training.distributed import crops_per_process, freeze_unused_parameters
from geoseg.training.interrupts import StopRequest, TrainingInterrupted
from geoseg.training.loggers import METRICS_NAME, LoggerCollection, open_loggers
from geoseg.training.module import TrainingModule
from geoseg.training.optimizer_steps import StepResult, build_optimizer, iterate_steps
from geoseg.training.plots import CropPlot, draw_curves
from geoseg.training.run_folder import RunFolder
from geoseg.training.step_statistics import StepStatistics
from geoseg.training.validation import Validation, Validator
from geoseg.training.weight_average import AveragedNetwork

LOG_EVERY_STEPS = 50
"""Number of steps between two rows of the log, as in mmsegmentation."""

logger = logging.getLogger(__name__)


class Trainer:
    """Context manager that trains one run in one process; it opens loggers and process groups on entry.

    Args:
        fabric: The launched Fabric instance.
        recipe: The recipe.
        prepared: The prepared dataset.
        run: The run folder. Its checkpoint, if any, is loaded and then released.
        module: The training module with initial weights.
        crops: Training crops of this process.
    """

    def __init__(
        self,
        fabric: Fabric,
        recipe: Recipe,
        prepared: PreparedDataset,
        run: RunFolder,
        module: TrainingModule,
        crops: TrainingCrops,
    ) -> None:
        train = recipe.train
        self.fabric, self.recipe, self.prepared, self.crops = fabric, recipe, prepared, crops
        self.folder, self.module = run.folder, module
        self._checkpoint = run.checkpoint
        run.checkpoint = None  # loaded on entry, then its memory is released
        self.state = self._checkpoint.state if self._checkpoint else RunState()
        if self._checkpoint:
            self.network.load_state_dict(self._checkpoint.network)
        if isinstance(fabric.strategy, DDPStrategy):  # including a single device chosen by "auto"
            freeze_unused_parameters(self.network, bands=len(prepared.bands))
            convert_to_sync_batchnorm(self.network, fabric.device)
        module.set_memory_format(memory_format(fabric.device, channels_last=train.channels_last))
        self.optimizer = build_optimizer(self.network.parameters(), train)
        self.average = AveragedNetwork(self.network, train.average) if train.average is not None else None
        card = build_card(recipe, prepared, module.normalization)
        self.saver = BestBundleSaver(run.folder, card, train.monitor, self.state, is_main=fabric.is_global_zero)
        self.statistics = StepStatistics(fabric, train.batch, crops.describe)
        self.validator = Validator(fabric, recipe, prepared)

    def __enter__(self) -> Self:
        train = self.recipe.train
        step: Any = torch.compile(self.module) if train.compile else self.module
        self._step, self.optimizer = self.fabric.setup(step, self.optimizer)
        if self.average is not None:
            self.average.network.to(self.fabric.device)
        # A gloo process group, so that processes can exchange stop requests without waiting for a GPU.
        self._group: Any = dist.new_group(backend="gloo") if self.fabric.world_size > 1 else None
        self._loggers, self._plot = LoggerCollection(()), None
        if self.fabric.is_global_zero:
            self._plot = CropPlot(self.prepared)
            columns = [*self.statistics.values(), *self.validator.score_names]
            recipe = self.recipe.model_dump(mode="json")
            self._loggers = open_loggers(self.folder, recipe, train.loggers, columns, done=self.state.iteration)
        if self._checkpoint:
            self._restore(self._checkpoint)
            self._checkpoint = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loggers.close()

    @property
    def network(self) -> SegmentationNetwork:
        """The network being trained."""
        return self.module.network

    @property
    def evaluated_network(self) -> SegmentationNetwork:
        """The network that is validated and saved: the averaged one, if the recipe uses an average."""
        return self.network if self.average is None else self.average.network

    def train(self, stop: StopRequest, progress: Progress) -> None:
        """Train the remaining iterations.

        Args:
            stop: Request to stop after the current step.
            progress: Reports the progress.

        Raises:
            TrainingInterrupted: After a stop request; a checkpoint is saved first.
            GeosegError: If the loss is not finite.
        """
        train, done = self.recipe.train, self.state.iteration
        if not done:
            self._save(finished=False)  # so that a run can be resumed from its start, and a full disk is reported early
            self._report_determinism_cost()
        steps = iterate_steps(self.fabric, self._step, self.optimizer, self.crops.loader(done), train, done=done)
        with contextlib.closing(steps), progress(train.iterations, "training", done=done) as task, self._log_failure():
            for step in steps:
                self._record(step, task)
                if self._finish_iteration(step.iteration, stop):
                    break

    def _restore(self, checkpoint: Checkpoint) -> None:
        """Load the state of the optimizer, the average and the gradient scaler."""
        self.optimizer.load_state_dict(dict(checkpoint.optimizer))
        if self.average is not None and checkpoint.average is not None:
            self.average.network.load_state_dict(checkpoint.average)
        if checkpoint.precision:
            self.fabric.strategy.precision.load_state_dict(dict(checkpoint.precision))

    @contextlib.contextmanager
    def _log_failure(self) -> Iterator[None]:
        """Write the metrics of the latest steps if the run fails."""
        try:
            yield
        except TrainingInterrupted:
            raise
        except GeosegError:
            if not math.isnan(self.statistics.loss):
                with contextlib.suppress(GeosegError):
                    self._loggers.write(self.state.iteration, self.statistics.values())
            raise

    def _report_determinism_cost(self) -> None:
        """Log the slowdown caused by deterministic kernels on a GPU; they do not cause any on CPUs."""
        train = self.recipe.train
        if train.deterministic and self.fabric.device.type == "cuda":
            crops = crops_per_process(train, self.fabric.world_size)
            shape = (crops, len(self.prepared.bands), train.crop, train.crop)
            cost = measure_determinism_cost(self.fabric, self.module, shape)
            logger.log(NOTICE, "With deterministic: true, a pass takes %.2f times as long on this device.", cost)

    def _record(self, step: StepResult, task: Task) -> None:
        """Update the state, statistics, weight average, progress and log after a step."""
        self.state.iteration = step.iteration
        self.statistics.add(step)
        if self.average is not None:
            self.average.update(self.network, step.iteration)
        score = self.state.best
        best = "" if score is None else f", best {self.recipe.train.monitor} {percent(score)}%"
        task.advance(note=self.statistics.summary() + best)
        if step.iteration % LOG_EVERY_STEPS == 0 and not self._is_validation_due(step.iteration):
            self.statistics.synchronize()
            self._loggers.write(step.iteration, self.statistics.values())

    def _is_validation_due(self, iteration: int) -> bool:
        train = self.recipe.train
        return iteration == train.iterations or iteration % min(train.validate_every, train.iterations) == 0

    def _finish_iteration(self, iteration: int, stop: StopRequest) -> bool:
        """Validate and save if due; return whether training stops early because scores have stopped improving."""
        train = self.recipe.train
        is_last, ends_early = iteration == train.iterations, False
        if self._is_validation_due(iteration):
            self.statistics.require_finite(self.network, iteration)
            self._validate()
            ends_early = train.patience is not None and self.state.waited >= train.patience
        signal = 0 if is_last else self._shared_signal(stop)
        if is_last or ends_early or signal or iteration % train.checkpoint_every == 0:
            self.statistics.require_finite(self.network, iteration)  # never save non-finite weights
            self._save(finished=is_last or ends_early)
        if signal and not ends_early:
            self.fabric.barrier()  # a process that exits terminates the others: wait until the checkpoint is written
            raise TrainingInterrupted(self.folder, iteration, signal)
        if ends_early and not is_last:
            logger.log(NOTICE, "Stopped early: %s did not improve in %d validations.", train.monitor, train.patience)
        return ends_early

    def _shared_signal(self, stop: StopRequest) -> int:
        """Return the signal that any process has received, or 0; the result is the same in all processes."""
        if self._group is None:
            return stop.signal
        signal = torch.tensor(stop.signal)
        dist.all_reduce(signal, dist.ReduceOp.MAX, group=self._group)
        return int(signal)

    def _validate(self) -> None:
        validation = self.validator.run(self.module, self.evaluated_network)
        is_best = self.saver.update(self.evaluated_network, validation)
        if self.fabric.is_global_zero:
            self._report(validation, is_best=is_best)

    def _report(self, validation: Validation, *, is_best: bool) -> None:
        """Log a validation and draw the plots of the run."""
        iteration, table = self.state.iteration, "\n".join(validation.table())
        best = "best so far" if is_best else f"best: iteration {self.state.best_iteration}"
        logger.log(NOTICE, "Iteration %d: %s (%s)\n%s", iteration, self.statistics.summary(), best, table)
        for note in validation.notes:
            logger.warning("%s", note)
        self._loggers.write(iteration, {**self.statistics.values(), **validation.scores()})
        assert self._plot is not None
        self._plot.draw(self.fabric, self.module, self.evaluated_network, self.folder / "validation.png")
        draw_curves(self.folder / "log" / METRICS_NAME, self.folder / "curves.png", name=self.folder.name)

    def _save(self, *, finished: bool) -> None:
        """Write the checkpoint in the main process."""
        if not self.fabric.is_global_zero:
            return
        Checkpoint(
            recipe=self.recipe.model_dump(mode="json"),
            data=self.prepared.digest,
            state=self.state,
            network=self.network.state_dict(),
            optimizer=self.optimizer.state_dict(),
            average=None if self.average is None else self.average.network.state_dict(),
            precision=self.fabric.strategy.precision.state_dict(),
            finished=finished,
        ).save(self.folder)
