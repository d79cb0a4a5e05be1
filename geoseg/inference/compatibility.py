"""Match a scene to a model: determine the bands, pixel size and tile size of the network's input, or report why the
scene does not match.

Everything is determined from the metadata of the scene and the model, before any pixels are read.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from geoseg._text import did_you_mean
from geoseg.errors import BundleError, ConfigError
from geoseg.grid.grid import Grid, is_same_gsd, is_square, resampling_factors
from geoseg.grid.window import Window
from geoseg.model_card import ModelCard
from geoseg.raster.band_names import find_bands
from geoseg.raster.scene import Scene

MAX_GSD_RATIO = 8.0
"""Largest ratio between the GSDs of the scene and the model for which scenes are resampled while reading; see
:func:`find_resampling_factor`."""


@dataclass(frozen=True)
class InputPlan:
    """How the network's input is read from a scene."""

    bands: tuple[int, ...]
    """0-based positions of the scene's bands, in the order of the model's bands."""
    tile: int
    """Side length of a tile's view, in pixels of the network's input."""
    halo: int
    """Width of the margin around each tile's core, in pixels of the network's input."""
    scene_tile: tuple[int, int]
    """(height, width) of a tile's view, in scene pixels."""
    scene_halo: tuple[int, int]
    """Margin around each tile's core: (rows above and below, columns to the left and right), in scene pixels."""
    gsd: float | None
    """Meters per pixel of the network's input; None if unknown."""
    mirrors: bool
    """True if the input beyond the scene's borders is the mirrored scene, False if it is the mean of the training data.
    """
    notes: tuple[str, ...]
    """Notes for the user, one sentence each."""

    @property
    def resamples(self) -> bool:
        """True if the scene is resampled to the pixel size of the network's input."""
        return self.scene_tile != (self.tile, self.tile)

    def input_shape(self, window: Window) -> tuple[int, int]:
        """Return the (height, width) of the network's input for a window of the scene."""
        if not self.resamples:
            return window.shape
        sides = zip(window.shape, self.scene_tile, strict=True)
        height, width = (max(round(side * self.tile / scene_side), 1) for side, scene_side in sides)
        return height, width


def make_input_plan(
    scene: Scene,
    card: ModelCard,
    *,
    tile: int | None = None,
    halo: int | None = None,
    bands: Sequence[str] | str | None = None,
    any_dtype: bool = False,
    gsd: float | None = None,
    border: str = "mirror",
) -> InputPlan:
    """Plan how the network's input is read from a scene.

    Args:
        scene: The scene.
        card: The model card.
        tile: Side length of a tile in pixels at the model's GSD; None for the value in the card.
        halo: Width of the margin around each core in pixels at the model's GSD; None for the value in the card, but at
            most a quarter of ``tile``.
        bands: Bands of the scene; see :func:`choose_bands`.
        any_dtype: Accept a pixel type that differs from that of the training data.
        gsd: Meters per pixel, for a scene without a CRS, whose pixel size would otherwise be unknown.
        border: Input beyond the scene's borders: "mirror" or "mean".

    Raises:
        BundleError: If the scene does not match the model.
        ConfigError: If the halo leaves no core.
    """
    positions, band_notes = choose_bands(scene, card, bands)
    dtype_notes = check_dtype(scene, card, any_dtype=any_dtype)
    factors, gsd_notes = find_axis_factors(scene.grid, card.gsd, gsd=gsd)
    if halo is None:  # the card's halo is chosen for the card's tile size; a smaller tile would have a very small core
        halo = card.halo if tile is None else min(card.halo, max(tile, 0) // 4)
    tile = card.tile if tile is None else tile
    if halo < 0 or tile - 2 * halo < 1:
        raise ConfigError(
            f"tiles of {tile} pixels with a halo of {halo} pixels have no core",
            f"use --halo between 0 and {max((tile - 1) // 2, 0)}, or a larger --tile",
        )
    height, width = (max(round(tile * factor), 1) for factor in factors)
    above, left = (
        min(math.ceil(halo * factor), (side - 1) // 2) for factor, side in zip(factors, (height, width), strict=True)
    )
    return InputPlan(
        bands=positions,
        tile=tile,
        halo=halo,
        scene_tile=(height, width),
        scene_halo=(above, left),
        gsd=scene.grid.gsd or gsd if factors == (1, 1) else card.gsd,
        mirrors=border == "mirror",
        notes=(*band_notes, *dtype_notes, *gsd_notes),
    )


def choose_bands(
    scene: Scene, card: ModelCard, selected: Sequence[str] | str | None = None
) -> tuple[tuple[int, ...], list[str]]:
    """Select the bands of the scene for the network.

    Args:
        scene: The scene.
        card: The model card.
        selected: Names or 1-based numbers in the model's order, as a sequence or a comma-separated string. By default,
            the bands found by :func:`~geoseg.raster.band_names.find_bands`; if it finds none, all bands in order,
            provided that there are as many as the model expects.

    Returns:
        0-based positions of the bands, and notes for the user.

    Raises:
        BundleError: If a selected band does not exist, or the number of bands is wrong.
    """
    if selected is not None:
        positions = _parse_bands(scene, selected)
        _require_count(scene, card, len(positions), is_selection=True)
        return positions, _band_notes(scene, card, positions, "")
    found = find_bands(card.bands, scene.band_names)
    if found is not None:
        return found.positions, [*_band_notes(scene, card, found.positions, found.evidence), *found.notes]
    positions = tuple(range(len(scene.bands)))
    _require_count(scene, card, len(positions), is_selection=False)
    is_choice = len(positions) > 1  # a single band always matches
    evidence = f"by position: the file states {scene.band_names.claims()} (use --bands to choose)" if is_choice else ""
    return positions, _band_notes(scene, card, positions, evidence)


def check_dtype(scene: Scene, card: ModelCard, *, any_dtype: bool) -> list[str]:
    """Compare the pixel types of the scene and the model.

    Args:
        scene: The scene.
        card: The model card.
        any_dtype: Accept a different type.

    Returns:
        Notes for the user.

    Raises:
        BundleError: If the types differ, and ``any_dtype`` is False.
    """
    if scene.dtype.name == card.dtype:
        return []
    difference = f"the scene's pixels are {scene.dtype.name}, but the model was trained on {card.dtype}"
    if not any_dtype:
        raise BundleError(
            difference,
            f"convert the scene to {card.dtype} (gdal_translate -scale -ot ...), "
            "or use --any-dtype if the values have the same meaning",
        )
    return [f"{difference}; values are used unchanged"]


def find_axis_factors(
    grid: Grid, model_gsd: float | None, *, gsd: float | None = None
) -> tuple[tuple[float, float], list[str]]:
    """Return the number of scene pixels per model pixel in the (row, col) directions, and notes for the user.

    Args:
        grid: Grid of the scene.
        model_gsd: Meters per pixel of the model's training data.
        gsd: Meters per pixel, for a scene without a CRS.

    Raises:
        BundleError: If the pixel sizes of the scene and the model differ too much along an axis.
    """
    unused = _describe_unused_gsd(grid, gsd)
    sides = grid.pixel_sides_m(gsd)
    if sides is None or is_square(sides):
        factor, notes = find_resampling_factor(grid.gsd or gsd, model_gsd)
        return (factor, factor), [*unused, *notes]
    size = f"{_format_gsd(sides[0])} x {_format_gsd(sides[1])} (height x width)"
    if model_gsd is None:
        notes = [f"the scene's pixels are not square, {size}: not resampled, because the model's GSD is unknown"]
        return (1.0, 1.0), unused if is_same_gsd(*sides) else [*unused, *notes]
    for side in sides:
        find_resampling_factor(side, model_gsd)
    factors = resampling_factors(sides, model_gsd)
    note = f"scene {size}, model {_format_gsd(model_gsd)}: pixels are not square, so each axis has its own resampling factor"
    return factors, unused if factors == (1, 1) else [*unused, note]


def _describe_unused_gsd(grid: Grid, gsd: float | None) -> list[str]:
    """Return a note if a given GSD differs from that of the grid, which takes precedence."""
    if gsd is None or grid.gsd is None or is_same_gsd(gsd, grid.gsd):
        return []
    return [f"the scene has a CRS, so its GSD of {_format_gsd(grid.gsd)} is used, and not {_format_gsd(gsd)} (--gsd)"]


def find_resampling_factor(scene_gsd: float | None, model_gsd: float | None) -> tuple[float, list[str]]:
    """Return the number of scene pixels per model pixel along each axis, and notes for the user.

    The factor is 1 if the GSDs are nearly identical or unknown. Ratios larger than :data:`MAX_GSD_RATIO` are rejected: a
    much coarser scene lacks the detail that the model was trained on, and a single tile of a much finer scene would
    exhaust the memory.

    Args:
        scene_gsd: Meters per pixel of the scene.
        model_gsd: Meters per pixel of the model's training data.

    Raises:
        BundleError: If the GSDs differ by more than :data:`MAX_GSD_RATIO`.
    """
    if model_gsd is None:
        return 1.0, []
    if scene_gsd is None:
        return 1.0, [
            f"the scene's GSD is unknown; the model was trained at {_format_gsd(model_gsd)}: not resampled (set --gsd)"
        ]
    factor = model_gsd / scene_gsd
    gsds = f"scene {_format_gsd(scene_gsd)}, model {_format_gsd(model_gsd)}"
    if not 1 / MAX_GSD_RATIO <= factor <= MAX_GSD_RATIO:
        raise BundleError(
            f"the pixel sizes of the scene and the model differ too much: {gsds}",
            f"resample the scene first (gdalwarp -tr ... -r average), or use a model for about {_format_gsd(scene_gsd)}",
        )
    if is_same_gsd(model_gsd, scene_gsd):
        return 1.0, []
    return factor, [f"{gsds}: resampled while reading"]


def _parse_bands(scene: Scene, selected: Sequence[str] | str) -> tuple[int, ...]:
    texts = selected.split(",") if isinstance(selected, str) else selected
    return tuple(_find_band(scene, text.strip()) for text in texts)


def _find_band(scene: Scene, text: str) -> int:
    """Return the position of the band with this name (case-insensitive) or 1-based number."""
    names = [name.casefold() for name in scene.bands]
    if text.casefold() in names:
        return names.index(text.casefold())
    if text.isdecimal() and 1 <= int(text) <= len(names):
        return int(text) - 1
    found = find_bands([text], scene.band_names) if text else None
    if found is not None:
        return found.positions[0]
    raise BundleError(
        f"the scene has no band {text!r}; it has {_number_bands(scene.bands)}", did_you_mean(text, scene.bands)
    )


def _require_count(scene: Scene, card: ModelCard, count: int, *, is_selection: bool) -> None:
    if count == len(card.bands):
        return
    bands = "band" if count == 1 else "bands"
    needs = f"the model needs {len(card.bands)} ({', '.join(card.bands)})"
    if is_selection:
        raise BundleError(
            f"{count} {bands} selected, but {needs}", "use --bands to select one for each, in the model's order"
        )
    hint = f"choose bands by name or number, for example --bands 3,2,1, from {_number_bands(scene.bands)}"
    raise BundleError(f"the scene has {count} {bands}, but {needs}", hint)


def _band_notes(scene: Scene, card: ModelCard, positions: Sequence[int], evidence: str) -> list[str]:
    selected = [scene.bands[position] for position in positions]
    if [name.casefold() for name in selected] != [name.casefold() for name in card.bands]:
        reason = (
            f", {evidence}" if evidence and (list(positions) != sorted(positions) or "position" in evidence) else ""
        )
        return [f"using scene bands {', '.join(selected)} as model inputs {', '.join(card.bands)}{reason}"]
    if selected != list(scene.bands):
        return [f"using the bands {', '.join(selected)} of the scene's bands {', '.join(scene.bands)}"]
    return []


def _number_bands(bands: Sequence[str]) -> str:
    return ", ".join(f"{number} = {name}" for number, name in enumerate(bands, start=1))


def _format_gsd(gsd: float) -> str:
    return f"{gsd:.3g} m"
