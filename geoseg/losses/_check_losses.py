"""Check the losses in a recipe without importing torch."""

from collections.abc import Sequence

from geoseg.config.component_spec import WeightedComponent
from geoseg.errors import ConfigError
from geoseg.losses import losses


def check_losses(parts: Sequence[WeightedComponent], *, classes: int) -> None:
    """Check the losses in a recipe and their options.

    Args:
        parts: Losses with names, options and weights.
        classes: Number of classes.

    Raises:
        ConfigError: If a loss, an option or a weight is invalid, a loss is listed twice, or all weights are 0.
    """
    names = [part.name for part in parts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"the loss {twice[0]} is listed twice", "list it once, with the sum of the weights")
    if not parts or all(part.weight == 0 for part in parts):
        raise ConfigError("no loss to minimize", "list at least one loss with a weight above 0")
    negative = [part for part in parts if part.weight < 0]
    if negative:
        raise ConfigError(
            f"the loss {negative[0].name} has the negative weight {negative[0].weight}", "set it to 0 or more"
        )
    for part in parts:
        losses.check(part.name, part.options, given=("classes", "ignore_index"))
        require_class_weights(part.options.get("class_weights"), classes)


def require_class_weights(class_weights: Sequence[float] | None, classes: int) -> None:
    """Raise :class:`ConfigError` if the number of class weights differs from the number of classes."""
    if class_weights is not None and len(class_weights) != classes:
        raise ConfigError(f"got {len(class_weights)} class_weights for {classes} classes", "set one weight per class")
