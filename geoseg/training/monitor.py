"""The score that decides which bundle of a run is the best."""

from geoseg._text import did_you_mean
from geoseg.errors import ConfigError
from geoseg.legend import Legend


def require_monitor(monitor: str, legend: Legend) -> None:
    """Raise :class:`ConfigError` if validation has no score of this name."""
    names = ["mean_iou", "mean_f1", "overall_accuracy", *(f"iou {name}" for name in legend.names)]
    if monitor not in names:
        raise ConfigError(f"train.monitor: unknown score {monitor!r}", did_you_mean(monitor, names))
