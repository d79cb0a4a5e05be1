"""Virtual rasters that point elsewhere, contain themselves, run code, or declare sizes that do not fit into memory."""

import io
import tarfile
import zipfile
from collections.abc import Iterator

from .cases import Case, Place, info, polygonize, predict

LARGEST = 2**31 - 1
SECRET = "/etc/passwd"


def write_cases(place: Place) -> Iterator[Case]:
    """Write virtual rasters and yield their calls."""
    for label, text in _texts(place).items():
        path = place.folder / f"{label.replace(' ', '_')}.vrt"
        path.write_text(text)
        yield info(f"VRT {label}", path)
        must_fail = label not in {"scene", "raw bytes of a file", "entity bomb"}  # GDAL does not expand entities
        yield predict(f"VRT {label}", path, place.model, "--bands", "1,1,1", must_fail=must_fail)
        yield polygonize(f"VRT {label}", path)
    huge = str(place.folder / "huge.vrt")
    plan = ("predict", huge, "-o", "mask.tif", "--model", str(place.model), "--plan", "--bands", "1,1,1")
    yield Case("predict VRT huge, --plan", plan)
    yield info("VRT as text", _vrt(_source(SECRET)), must_fail=True)
    yield from _paths_with_prefixes(place)


def _vrt(band: str, *, height: int = 96, width: int = 96, bands: int = 1, head: str = "") -> str:
    place = "<SRS>EPSG:25833</SRS><GeoTransform>400000,0.3,0,5800000,0,-0.3</GeoTransform>"
    body = "".join(
        f'<VRTRasterBand dataType="Byte" band="{number + 1}">{band}</VRTRasterBand>' for number in range(bands)
    )
    return f'{head}<VRTDataset rasterXSize="{width}" rasterYSize="{height}">{place}{body}</VRTDataset>'


def _source(path: object, band: int = 1) -> str:
    name = f'<SourceFilename relativeToVRT="0">{path}</SourceFilename>'
    return f"<SimpleSource>{name}<SourceBand>{band}</SourceBand></SimpleSource>"


def _texts(place: Place) -> dict[str, str]:
    raw = (
        f'<VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand"><SourceFilename relativeToVRT="0">{SECRET}'
        "</SourceFilename><ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset><LineOffset>10</LineOffset></VRTRasterBand>"
    )
    code = (
        '<VRTRasterBand dataType="Byte" band="1" subClass="VRTDerivedRasterBand"><PixelFunctionType>f</PixelFunctionType>'
        "<PixelFunctionLanguage>Python</PixelFunctionLanguage><PixelFunctionCode><![CDATA[\nimport os\n"
        f"def f(inputs, output, *a, **k):\n  os.system(\"touch '{place.executed}/pixel_function'\")\n"
        f"]]></PixelFunctionCode>{_source(place.scene)}</VRTRasterBand>"
    )
    entities = "".join(f"<!ENTITY a{level} '{f'&a{level - 1};' * 10}'>" for level in range(1, 11))
    return {
        "scene": _vrt(_source(place.scene)),
        "text file": _vrt(_source(SECRET)),
        "itself": _vrt(_source(place.folder / "itself.vrt")),
        "missing source": _vrt(_source("/nowhere.tif")),
        "missing band": _vrt(_source(place.scene, band=99)),
        "network": _vrt(_source("/vsicurl/http://127.0.0.1:9/x.tif")),
        "raw bytes of a file": f'<VRTDataset rasterXSize="10" rasterYSize="10">{raw}</VRTDataset>',
        "Python pixel function": f'<VRTDataset rasterXSize="96" rasterYSize="96">{code}</VRTDataset>',
        "huge": _vrt("", height=LARGEST, width=LARGEST),
        "wide": _vrt("", height=3, width=200_000_000),
        "65535 bands": _vrt("", bands=65_535),
        "blocks of 2 GB": _vrt("", height=10, width=LARGEST),
        "entity bomb": _vrt("&a10;", head=f"<!DOCTYPE x [<!ENTITY a0 'lol'>{entities}]>"),
        "nested": "<VRTDataset>" * 100_000,
        "negative size": _vrt("", height=-5, width=-5),
    }


def _paths_with_prefixes(place: Place) -> Iterator[Case]:
    """Yield paths into archives and to other file systems of GDAL."""
    scene = place.scene.read_bytes()
    with zipfile.ZipFile(place.folder / "scene.zip", "w") as archive:
        archive.writestr("../../scene.tif", scene)
        archive.writestr("scene.tif", scene)
    with tarfile.open(place.folder / "scene.tar", "w") as archive:
        member = tarfile.TarInfo("../../scene.tif")
        member.size = len(scene)
        archive.addfile(member, io.BytesIO(scene))
    names = (
        f"/vsizip/{place.folder}/scene.zip/../../scene.tif", f"/vsitar/{place.folder}/scene.tar",
        f"/vsizip/{place.folder}/nowhere.zip/x.tif",
        "/vsistdin/", "/vsimem/x.tif", f"/vsisubfile/0_{2**62},{place.scene}", f"{place.folder}/scene.zip",
        f"GTIFF_DIR:9:{place.scene}", "WMS:http://127.0.0.1:9/", "http://127.0.0.1:9/x.tif", "https://[::1",
        "PG:host=127.0.0.1",
    )  # fmt: skip
    for name in names:
        label = name.replace(str(place.folder), "")
        yield info(f"path {label}", name)
        yield predict(f"path {label}", name, place.model)
