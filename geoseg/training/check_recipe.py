"""Check a recipe before any data is prepared."""

from geoseg.config.recipe import Recipe
from geoseg.data.crops.samplers import samplers
from geoseg.data.preparation.open_dataset import open_dataset
from geoseg.losses.build import build_loss
from geoseg.models.build import find_backbone_module
from geoseg.models.device import choose_device
from geoseg.models.heads import heads
from geoseg.training.class_weights import resolve_class_weights
from geoseg.training.loggers import require_loggers
from geoseg.training.validation import require_monitor


def check_recipe(recipe: Recipe) -> None:
    """Check everything in a recipe that does not depend on pixels, because preparation can take hours.

    Raises:
        ConfigError: If a component, an option, the device or the monitored score is invalid.
        DataError: If the files of the dataset are missing.
    """
    train, head = recipe.train, recipe.model.head
    choose_device(train.device)
    find_backbone_module(recipe.model.backbone.name)
    heads.check(head.name, head.options, given=("in_channels", "strides", "classes", "align_corners"))
    samplers.check(train.sampler.name, train.sampler.options, given=("scenes", "size", "scale", "seed", "classes"))
    legend = open_dataset(recipe.data).legend
    build_loss(resolve_class_weights(recipe.loss, [1] * len(legend)), classes=len(legend))
    require_monitor(train.monitor, legend)
    require_loggers(train.loggers)
