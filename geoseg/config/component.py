"""A part as a recipe names it: by its name alone, or with options beside the name."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, model_serializer, model_validator

from geoseg.errors import did_you_mean
from geoseg.registry import part_names


class Part(BaseModel):
    """``deeplabv3plus``, or ``{name: deeplabv3plus, channels: 256}``; all but the name are options of the part."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """File name of the part, without ``.py``."""
    options: dict[str, Any] = {}
    """What the part is called with, checked when it is built."""

    @model_validator(mode="before")
    @classmethod
    def _from_either_spelling(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, Mapping) and "options" not in value:
            fields = set(cls.model_fields)
            options = {key: item for key, item in value.items() if key not in fields}
            return {**{key: item for key, item in value.items() if key in fields}, "options": options}
        return value

    @model_serializer
    def _as_written(self) -> str | dict[str, Any]:
        return {"name": self.name, **self.options} if self.options else self.name


class WeightedPart(Part):
    """A loss with its weight in the sum: ``{name: dice, weight: 0.5}``."""

    weight: float = 1.0
    """Factor of this loss in the sum."""

    @model_serializer
    def _as_written(self) -> str | dict[str, Any]:
        return {"name": self.name, "weight": self.weight, **self.options}


def known(kind: str, package: str) -> AfterValidator:
    """A check that a part of this kind exists, without importing it."""

    def check(part: Part) -> Part:
        names = part_names(kind, package)
        if part.name not in names:
            raise ValueError(f"there is no {kind} called {part.name!r}; {did_you_mean(part.name, names)}")
        return part

    return AfterValidator(check)


HeadPart = Annotated[Part, known("head", "geoseg.models.heads")]
LossPart = Annotated[WeightedPart, known("loss", "geoseg.losses")]
SamplerPart = Annotated[Part, known("sampler", "geoseg.data.crops.samplers")]
