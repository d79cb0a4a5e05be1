"""Describe a CRS by its code and name and, if it has no EPSG code, by the most similar EPSG code."""

from pyproj import CRS

from geoseg.file_info.info import Fact, make_fact
from geoseg.grid.grid import crs_name

MIN_CONFIDENCE = 20
"""Minimum PROJ confidence, in percent, for two CRSs to be reported as similar."""


def crs_facts(crs: CRS | None) -> tuple[Fact, ...]:
    """Return the property ``CRS`` and, if the CRS has no EPSG code but resembles one, ``nearest EPSG code``."""
    if crs is None:
        return (make_fact("CRS", None, "none"),)
    name = crs_name(crs)
    facts = (make_fact("CRS", name, name if name == crs.name else f"{name} ({crs.name})"),)
    code = None if name.startswith("EPSG:") else crs.to_epsg(min_confidence=MIN_CONFIDENCE)
    if code is None:
        return facts
    text = f"EPSG:{code} ({CRS.from_epsg(code).name}): similar, not identical"
    return (*facts, make_fact("nearest EPSG code", f"EPSG:{code}", text))
