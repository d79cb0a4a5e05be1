"""Save the bundle when the monitored score improves."""

import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from geoseg.bundle import BEST_NAME, Bundle, ModelCard
from geoseg.models.network import SegmentationNetwork
from geoseg.training.checkpoint import Standing
from geoseg.training.run_folder import point_latest_to
from geoseg.training.validation import Validation

logger = logging.getLogger(__name__)


class KeepBest:
    """Writes the bundle after every validation that is better than all before, by the monitored score.

    Of processes that train together each knows how the run stands, and one ``writes``.
    """

    def __init__(self, run: Path, card: ModelCard, monitor: str, standing: Standing, *, writes: bool = True) -> None:
        self.run, self.card, self.monitor, self.standing, self.writes = run, card, monitor, standing, writes

    @property
    def path(self) -> Path:
        """The bundle's file."""
        return self.run / BEST_NAME

    def offer(self, network: SegmentationNetwork, validation: Validation) -> bool:
        """Keeps the network if it is the best so far; True if it is. Until the score is defined, the newest is the best."""
        scores = validation.scores()
        score = scores[self.monitor]
        is_defined = not math.isnan(score)
        if not is_defined:
            logger.warning("%s is undefined on the validation scenes, so it does not tell which is best", self.monitor)
        better = self.standing.best is None or (is_defined and score > self.standing.best)
        self.standing.waited = 0 if better else self.standing.waited + 1
        if not better:
            return False
        self.standing.best, self.standing.best_iteration = score if is_defined else None, self.standing.iteration
        if self.writes:
            self._write(network, scores)
        return True

    def _write(self, network: SegmentationNetwork, scores: Mapping[str, float]) -> None:
        known = {name: value for name, value in scores.items() if not math.isnan(value)}
        provenance = {**self.card.provenance, "iteration": str(self.standing.iteration)}
        Bundle(network, replace(self.card, scores=known, provenance=provenance)).save(self.path)
        point_latest_to(self.run)
