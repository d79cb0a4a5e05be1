"""Components in a recipe: the name of a head, loss, sampler or backbone, with or without options."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, model_serializer, model_validator

from geoseg._text import did_you_mean
from geoseg.registry import component_names


class Component(BaseModel):
    """A component, written as ``deeplabv3plus`` or ``{name: deeplabv3plus, channels: 256}``.

    All keys other than the name are options of the component.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """Name of the module that contains the component."""
    options: dict[str, Any] = {}
    """Keyword arguments of the component; checked when it is built."""

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, Mapping) and "options" not in value:
            fields = set(cls.model_fields)
            options = {key: item for key, item in value.items() if key not in fields}
            return {**{key: item for key, item in value.items() if key in fields}, "options": options}
        return value

    @model_serializer
    def _serialize(self) -> str | dict[str, Any]:
        return {"name": self.name, **self.options} if self.options else self.name


class WeightedComponent(Component):
    """A loss with its weight in the total loss, written as ``{name: dice, weight: 0.5}``."""

    weight: float = 1.0
    """Weight of this loss in the total loss."""

    @model_serializer
    def _serialize(self) -> str | dict[str, Any]:
        return {"name": self.name, "weight": self.weight, **self.options}


def require_known(kind: str, package: str) -> AfterValidator:
    """Create a validator that requires a component to exist, without importing the component.

    Args:
        kind: Kind of component, such as ``head``.
        package: Dotted name of the package that contains these components.
    """

    def check(component: Component) -> Component:
        names = component_names(kind, package)
        if component.name not in names:
            raise ValueError(f"unknown {kind} {component.name!r}; {did_you_mean(component.name, names)}")
        return component

    return AfterValidator(check)


HeadComponent = Annotated[Component, require_known("head", "geoseg.models.heads")]
LossComponent = Annotated[WeightedComponent, require_known("loss", "geoseg.losses")]
SamplerComponent = Annotated[Component, require_known("sampler", "geoseg.data.crops.samplers")]
