"""`terrafusion demo`: the whole way once, on a county made for it."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.client import Api
from cli.cloud import SAMPLE_PARCELS
from cli.exports import PLUGIN, title_of
from cli.output import console, errors, file_size, print_table
from cli.publishing import SAMPLE_COUNTY, SAMPLE_MAP_LAYERS, catalogue_at, publish_sample
from cli.running import run_to_end
from local.cloud import TEMPLATE, Cloud
from local.issuer import Issuer
from terrafusion.auth import Role


@dataclass(frozen=True, slots=True)
class _Made:
    file: Path
    layers: str
    rows: int
    size: int
    seconds: float
    sha256: str


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")] = Path("out"),
    parcels: Annotated[int, typer.Option("--parcels", help="How many lots the county has, about.")] = SAMPLE_PARCELS,
) -> None:
    """Make a county, start the local cloud, export three times over HTTP, and stop again."""
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="terrafusion-demo-") as folder:
        state = Path(folder) / "state"
        cloud = Cloud(TEMPLATE, state, port=0, quiet=True)
        cloud.start()
        try:
            errors.print(f"==> local cloud at {cloud.url}")
            errors.print(f"==> sample county, about {parcels:,} parcels")
            with catalogue_at(state, None) as catalogue:
                publish_sample(catalogue, Path(folder), parcels, lambda text: errors.print(f"    {text}"))
                snapshot = catalogue.current(SAMPLE_COUNTY)
            box = snapshot.layers["parcels"].bbox
            assert box is not None  # noqa: S101  a layer of polygons has one
            token = Issuer(state).token("gis@sample", [Role.GIS_STAFF], [SAMPLE_COUNTY])
            connection = Api(cloud.url, token)
            errors.print("==> three exports over HTTP")
            made = [_export(connection, request, output) for request in _requests(box)]
        finally:
            cloud.stop()
    _print(made)


def _requests(box: tuple[float, float, float, float]) -> list[dict[str, Any]]:
    """A whole county, an area of it, and two layers together."""
    return [
        {"county_id": SAMPLE_COUNTY, "export_format": "GPKG", "layers": list(SAMPLE_MAP_LAYERS)},
        {
            "county_id": SAMPLE_COUNTY,
            "export_format": "Shapefile",
            "layers": ["parcels"],
            "area_of_interest": {"type": "Polygon", "coordinates": [_hand_drawn(box)]},
            "parameters": {
                "coordinate_system": "EPSG:4326",
                "attributes": ["property_id", "situs_address_full", "property_class", "current_assessed_value_total"],
            },
        },
        {
            "county_id": SAMPLE_COUNTY,
            "export_format": "FileGDB",
            "layers": ["parcels", "zoning"],
            "parameters": {"coordinate_system": "EPSG:2927"},
        },
    ]


def _hand_drawn(box: tuple[float, float, float, float]) -> list[list[float]]:
    """A five-cornered area about the middle of a box, closed."""
    west, south, east, north = box
    corners = ((0.32, 0.40), (0.55, 0.30), (0.70, 0.48), (0.58, 0.68), (0.36, 0.62), (0.32, 0.40))
    return [[round(west + x * (east - west), 6), round(south + y * (north - south), 6)] for x, y in corners]


def _export(connection: Api, request: Mapping[str, Any], output: Path) -> _Made:
    started = time.monotonic()
    result = run_to_end(connection, PLUGIN, dict(request), title_of(request), quiet=False)["result"]
    name = result["files"][0]["name"]
    target = output / f"sample_{request['export_format'].lower()}{''.join(Path(name).suffixes)}"
    size = connection.download(result["download_url"], target, result["sha256"])
    rows = result["result_record_count"]
    seconds = time.monotonic() - started
    return _Made(target, ", ".join(request["layers"]), rows, size, seconds, result["sha256"])


def _print(made: list[_Made]) -> None:
    rows = [(str(m.file), m.layers, f"{m.rows:,}", file_size(m.size), f"{m.seconds:.1f}", m.sha256[:16]) for m in made]
    print_table(("file", "layers", "rows", "size", "seconds", "sha256"), rows, ("rows", "size", "seconds"))
    console.print(f"\nOpen {made[0].file} in QGIS; `make run` keeps the cloud up.")
