"""Describe a CRS by its code and name and, if it has no EPSG code, by the most similar EPSG code."""

from pyproj import CRS

from geoseg.file_info.info import Fact, make_fact
from geoseg.grid.crs import crs_name

MIN_CONFIDENCE = 20
"""Minimum PROJ confidence, in percent, for two CRSs to be reported as similar."""


MAX_CODES = 3
"""Maximum number of equally similar codes that are reported."""


def crs_facts(crs: CRS | None) -> tuple[Fact, ...]:
    """Return the property ``CRS`` and, if the CRS has no EPSG code but resembles one, ``nearest EPSG code``."""
    if crs is None:
        return (make_fact("CRS", None, "none"),)
    name = crs_name(crs)
    facts = (make_fact("CRS", name, name if name == crs.name else f"{name} ({crs.name})"),)
    codes = () if name.startswith("EPSG:") else find_nearest_codes(crs)
    if not codes:
        return facts
    text = " or ".join(f"{code} ({CRS.from_user_input(code).name})" for code in codes)
    return (*facts, make_fact("nearest EPSG code", " or ".join(codes), f"{text}: similar, not identical"))


def find_nearest_codes(crs: CRS) -> tuple[str, ...]:
    """Return the EPSG codes of the most similar CRSs that PROJ knows: several if PROJ ranks them equally."""
    matches = crs.list_authority(auth_name="EPSG", min_confidence=MIN_CONFIDENCE)
    best = max((match.confidence for match in matches), default=0)
    return tuple(f"EPSG:{match.code}" for match in matches if match.confidence == best)[:MAX_CODES]
