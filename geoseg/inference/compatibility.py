"""How a scene is fed to a model: which bands, at which pixel size, in tiles of which size; or why it cannot be.

Everything is decided here, from what scene and card say of themselves, before a pixel is read.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from geoseg.bundle import ModelCard
from geoseg.errors import BundleError, ConfigError, did_you_mean
from geoseg.grid.grid import is_same_gsd
from geoseg.grid.window import Window
from geoseg.raster.scene import Scene

GSD_LIMIT = 8.0
"""Largest factor between the GSDs of scene and model that is bridged while reading; see :func:`pixels_per_pixel`."""


@dataclass(frozen=True)
class Plan:
    """How one scene is predicted with one model."""

    bands: tuple[int, ...]
    """0-based positions of the scene's bands, in the order of the model's."""
    tile: int
    """Side of what the network sees at once, in the network's pixels."""
    halo: int
    """Ring around each tile's core, in the network's pixels."""
    scene_tile: int
    """The same side in the scene's pixels: what a tile's view measures."""
    scene_halo: int
    """The same ring in the scene's pixels."""
    gsd: float | None
    """Metres per pixel the network gets to see; None if unknown."""
    mirrors: bool
    """True if the network sees the scene mirrored beyond its borders, else the mean colour."""
    notes: tuple[str, ...]
    """What the user should know, one sentence each."""

    @property
    def resamples(self) -> bool:
        """True if the network sees other pixels than the scene's."""
        return self.scene_tile != self.tile

    def seen(self, window: Window) -> tuple[int, int]:
        """Rows and columns of what the network sees of a window of the scene."""
        if not self.resamples:
            return window.shape
        height, width = (max(round(side * self.tile / self.scene_tile), 1) for side in window.shape)
        return height, width


def make_plan(
    scene: Scene,
    card: ModelCard,
    *,
    tile: int | None = None,
    halo: int | None = None,
    bands: Sequence[str] | str | None = None,
    any_dtype: bool = False,
    gsd: float | None = None,
    border: str = "mirror",
) -> Plan:
    """The plan for a scene; ``tile`` and ``halo`` (pixels at the model's GSD) and ``bands`` override what is usual.

    ``border`` is what the network sees beyond the scene: "mirror" or "mean". ``gsd`` (metres per pixel) counts for a
    scene without CRS, whose pixels have no known size otherwise.
    :class:`BundleError` if the scene does not suit the model, :class:`ConfigError` if tile and halo make no tiles.
    """
    positions, band_notes = choose_bands(scene, card, bands)
    dtype_notes = check_dtype(scene, card, any_dtype=any_dtype)
    scene_gsd = scene.grid.gsd or gsd
    factor, gsd_notes = pixels_per_pixel(scene_gsd, card.gsd)
    if halo is None:  # the card's suits the card's tile; of a smaller one it would leave little
        halo = card.halo if tile is None else min(card.halo, max(tile, 0) // 4)
    tile = card.tile if tile is None else tile
    if halo < 0 or tile - 2 * halo < 1:
        raise ConfigError(
            f"a halo of {halo} pixels leaves nothing of a tile of {tile}",
            f"take --halo between 0 and {max((tile - 1) // 2, 0)}, or a larger --tile",
        )
    scene_tile = max(round(tile * factor), 1)
    return Plan(
        bands=positions,
        tile=tile,
        halo=halo,
        scene_tile=scene_tile,
        scene_halo=min(math.ceil(halo * factor), (scene_tile - 1) // 2),
        gsd=scene_gsd if factor == 1 else card.gsd,
        mirrors=border == "mirror",
        notes=(*band_notes, *dtype_notes, *gsd_notes),
    )


def choose_bands(
    scene: Scene, card: ModelCard, wanted: Sequence[str] | str | None = None
) -> tuple[tuple[int, ...], list[str]]:
    """Positions of the bands the network gets, and notes.

    The ``wanted`` ones (names, or numbers counted from 1; one text with commas or several); else those that bear the
    model's names; else all in order if the counts agree. :class:`BundleError` that names ``--bands`` otherwise.
    """
    if wanted is not None:
        positions = _wanted_bands(scene, wanted)
        _require_count(scene, card, len(positions), chosen=True)
    elif _has_names(scene, card.bands):
        positions = tuple(_position(scene, name) for name in card.bands)
    else:
        positions = tuple(range(len(scene.bands)))
        _require_count(scene, card, len(positions), chosen=False)
    return positions, _band_notes(scene, card, positions)


def check_dtype(scene: Scene, card: ModelCard, *, any_dtype: bool) -> list[str]:
    """Notes on the scene's pixel type; :class:`BundleError` if the model learnt from another, unless ``any_dtype``."""
    if scene.dtype.name == card.dtype:
        return []
    differ = f"the scene's pixels are {scene.dtype.name}, the model learnt from {card.dtype}"
    if not any_dtype:
        raise BundleError(
            differ,
            f"bring the scene to {card.dtype} (gdal_translate -scale -ot ...), or --any-dtype if values mean the same",
        )
    return [f"{differ}: taken as they are"]


def pixels_per_pixel(scene_gsd: float | None, model_gsd: float | None) -> tuple[float, list[str]]:
    """How many pixels of the scene lie along one of the model's (1 where that is near enough or unknown), and notes.

    :class:`BundleError` beyond :data:`GSD_LIMIT`: a scene far coarser does not show what the model knows, and of one
    far finer, single tiles would fill the memory.
    """
    if model_gsd is None:
        return 1.0, []
    if scene_gsd is None:
        return 1.0, [
            f"the scene's GSD is unknown, the model learnt at {_metres(model_gsd)}: predicted as it is (--gsd tells)"
        ]
    factor = model_gsd / scene_gsd
    gsds = f"scene {_metres(scene_gsd)}, model {_metres(model_gsd)}"
    if not 1 / GSD_LIMIT <= factor <= GSD_LIMIT:
        raise BundleError(
            f"the pixels of scene and model differ too much in size: {gsds}",
            f"resample the scene first (gdalwarp -tr ... -r average), or take a model for about {_metres(scene_gsd)}",
        )
    if is_same_gsd(model_gsd, scene_gsd):
        return 1.0, []
    return factor, [f"{gsds}: resampled while reading"]


def _wanted_bands(scene: Scene, wanted: Sequence[str] | str) -> tuple[int, ...]:
    texts = wanted.split(",") if isinstance(wanted, str) else wanted
    return tuple(_position(scene, text.strip()) for text in texts)


def _position(scene: Scene, text: str) -> int:
    """The position of a band given by name (capitals do not matter) or by number from 1."""
    names = [name.casefold() for name in scene.bands]
    if text.casefold() in names:
        return names.index(text.casefold())
    if text.isdecimal() and 1 <= int(text) <= len(names):
        return int(text) - 1
    raise BundleError(f"the scene has no band {text!r}, it has {_listed(scene.bands)}", did_you_mean(text, scene.bands))


def _has_names(scene: Scene, names: Sequence[str]) -> bool:
    return {name.casefold() for name in names} <= {name.casefold() for name in scene.bands}


def _require_count(scene: Scene, card: ModelCard, count: int, *, chosen: bool) -> None:
    if count == len(card.bands):
        return
    wants = f"the model wants {len(card.bands)} ({', '.join(card.bands)})"
    if chosen:
        raise BundleError(f"{count} bands were chosen, {wants}", "name one for each, in the model's order: --bands")
    hint = f"choose by name or number, like --bands 3,2,1, from {_listed(scene.bands)}"
    raise BundleError(f"the scene has {count} {'band' if count == 1 else 'bands'}, {wants}", hint)


def _band_notes(scene: Scene, card: ModelCard, positions: Sequence[int]) -> list[str]:
    taken = [scene.bands[position] for position in positions]
    if [name.casefold() for name in taken] != [name.casefold() for name in card.bands]:
        return [f"the scene's bands {', '.join(taken)} are taken for the model's {', '.join(card.bands)}"]
    if taken != list(scene.bands):
        return [f"of the scene's bands ({', '.join(scene.bands)}) the model gets {', '.join(taken)}"]
    return []


def _listed(bands: Sequence[str]) -> str:
    return ", ".join(f"{number} = {name}" for number, name in enumerate(bands, start=1))


def _metres(gsd: float) -> str:
    return f"{gsd:.3g} m"
