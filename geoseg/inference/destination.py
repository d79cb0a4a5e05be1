"""The destination of a prediction: files or writers for the mask, additional outputs and the preview."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from geoseg._output_files import check_writable, require_distinct
from geoseg.errors import ConfigError, OutputError
from geoseg.inference.task import PredictionTask
from geoseg.raster.metadata import crop_gcps
from geoseg.raster.writers.base import RasterWriter
from geoseg.raster.writers.cog import CogWriter, check_cog_paths


@dataclass(frozen=True)
class Destination:
    """Where the results of a prediction are written."""

    mask: str | Path | RasterWriter
    """A GeoTIFF, or a writer."""
    shares: Mapping[str, str | Path | None] = field(default_factory=dict)
    """GeoTIFFs for additional outputs by name; None for outputs that are not requested."""
    preview: str | Path | None = None
    """PNG of the scene and its mask."""
    overwrite: bool = False
    """Replace existing files."""
    resume: bool = False
    """Continue an interrupted prediction."""

    @property
    def mask_path(self) -> Path | None:
        """The file of the mask; None if the mask is not written to a file."""
        return Path(self.mask) if isinstance(self.mask, str | os.PathLike) else None

    @property
    def share_paths(self) -> dict[str, Path]:
        """The files of the requested additional outputs by name."""
        return {name: Path(path) for name, path in self.shares.items() if path is not None}

    def check(self, sources: Sequence[str]) -> None:
        """Check that no output replaces a scene or another output, and that the preview can be written.

        Args:
            sources: The files of the scene.

        Raises:
            OutputError: If an output cannot be written.
            ConfigError: If additional files are requested without a file for the mask.
        """
        if self.mask_path is None and (self.share_paths or self.preview is not None):
            raise ConfigError("further files require a file for the mask", "name one: predict(scene, 'mask.tif', ...)")
        targets = [self.mask_path, *self.share_paths.values(), None if self.preview is None else Path(self.preview)]
        paths = [path for path in targets if path is not None]
        for path in paths:
            for source in map(Path, sources):
                if path.exists() and source.exists() and path.samefile(source):
                    raise OutputError(f"the mask would replace the scene {source}", "use a different name for the mask")
        require_distinct(paths)
        mask = self.mask_path
        if mask is not None:
            check_cog_paths(mask, [mask, *self.share_paths.values()], overwrite=self.overwrite, resume=self.resume)
        if self.preview is not None:
            check_writable(self.preview, self.overwrite)

    def make_writer(self, task: PredictionTask) -> RasterWriter:
        """Create the writer for the mask and additional outputs; raise :class:`OutputError` if they cannot be written."""
        if not isinstance(self.mask, str | os.PathLike):
            return self.mask
        return CogWriter(
            self.mask,
            shares=self.share_paths,
            overwrite=self.overwrite,
            resume=self.resume,
            settings=task.settings,
            tags=task.tags,
            gcps=crop_gcps(task.scene.gcps, task.area.window),
        )
