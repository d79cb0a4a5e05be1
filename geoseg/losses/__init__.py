"""Loss functions, one module per loss."""

from typing import TYPE_CHECKING

from geoseg.registry import Registry

if TYPE_CHECKING:
    from geoseg.losses.base import Loss

losses: "Registry[Loss]" = Registry("loss", __name__)
