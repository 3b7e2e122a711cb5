"""Write the sample county: a GeoPackage of four layers and three tables, streamed batch by batch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyogrio
import shapely
from pyproj import Transformer

from local.sample import tables
from local.sample.attributes import label, survey
from local.sample.listings import offer
from local.sample.sales import Market
from local.sample.terrain import EPSG
from local.sample.town import Geometries, Town

COUNTY_ID = "sample"
_STAMP = "2026-01-02T00:00:00.000Z"
"""What the GeoPackage says about when it was written: the same county has the same bytes."""


@dataclass(frozen=True, slots=True)
class SampleFiles:
    """Where the county's files are, and which county they are of."""

    geopackage: Path
    properties: Path
    sales: Path
    listings: Path
    county_id: str = COUNTY_ID


def write(
    directory: Path, parcels: int = 20_000, seed: int = 2927, progress: Callable[[str], None] | None = None
) -> SampleFiles:
    """Generate a county and write it; files of the same names are replaced when all is done.

    The same number and seed give the same county. Layers are in EPSG:2927 (US survey feet), lon and lat of the tables
    in EPSG:4326.

    Parameters
    ----------
    directory
        Where to write; made if missing.
    parcels
        Exactly how many parcels, from 1. Memory does not grow with them beyond streets and sales.
    seed
        Another seed gives another county.
    progress
        Called with a line of text whenever a part is done.

    Raises
    ------
    ValueError
        Fewer than one parcel asked for.
    """
    if parcels < 1:
        raise ValueError(f"a county has at least one parcel, not {parcels}")
    directory.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".sample-", dir=directory) as unfinished, _pinned_clock():
        made = _files_in(Path(unfinished))
        _generate(made, Town.found(parcels, seed), progress or (lambda _: None))
        files = _files_in(directory)
        for one, place in (
            (made.geopackage, files.geopackage),
            (made.properties, files.properties),
            (made.sales, files.sales),
            (made.listings, files.listings),
        ):
            one.replace(place)
    return files


def _files_in(directory: Path) -> SampleFiles:
    properties, sales, listings = (directory / f"{name}.csv" for name in ("properties", "sales", "listings"))
    return SampleFiles(directory / "sample_county.gpkg", properties, sales, listings)


def _generate(files: SampleFiles, town: Town, tell: Callable[[str], None]) -> None:
    sold: list[pa.Table] = []
    listed: list[pa.Table] = []
    failures: list[BaseException] = []
    with pa.csv.CSVWriter(files.properties, tables.PROPERTIES) as properties:
        batches = _noting(failures, _parcel_batches(town, properties, sold, listed, tell))
        stream = pa.RecordBatchReader.from_batches(tables.PARCELS, batches)
        try:
            _write_layer(files.geopackage, "parcels", stream, "Polygon")
        except RuntimeError:
            if failures:
                raise failures[0] from None
            raise
    for file, name, date, rows in (
        (files.sales, "sale_id", "sale_date", sold),
        (files.listings, "listing_id", "list_date", listed),
    ):
        table = tables.numbered(pa.concat_tables(rows), name, date)
        pa.csv.write_csv(table, file)
        tell(f"{file.stem}: {len(table):,}")
    for layer, table, geometry_type in _overlays(town):
        _write_layer(files.geopackage, layer, table, geometry_type)
        tell(f"{layer}: {len(table):,}")


def _noting(failures: list[BaseException], batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches. A C stream loses the Python error that ends it: keep it."""
    try:
        yield from batches
    except BaseException as failure:
        failures.append(failure)
        raise


def _parcel_batches(
    town: Town,
    properties: Any,
    sold: list[pa.Table],
    listed: list[pa.Table],
    tell: Callable[[str], None],
) -> Iterator[pa.RecordBatch]:
    """The rows of the parcels layer; what belongs to the tables goes there on the way."""
    transformer = Transformer.from_crs(EPSG, 4326, always_xy=True)
    seed, done = town.plan.seed, 0
    for number, parcels in enumerate(town.batches()):
        rng = np.random.default_rng((seed, 7, number))
        estates = survey(parcels, rng)
        market = Market.open(estates, seed, rng)
        sales = market.sell(rng)
        roll = market.roll(sales, rng)
        labels = label(parcels, estates, rng)
        lon, lat = transformer.transform(*_inner_points(parcels.shapes).T)
        place = np.round(lon, 7), np.round(lat, 7)
        properties.write_table(tables.property_rows(estates, labels, roll, place))
        sold.append(tables.sale_rows(sales, labels, place))
        listings = offer(market, sales, np.random.default_rng((seed, 11, number)))
        listed.append(tables.listing_rows(listings, labels, place))
        rows = tables.parcel_rows(parcels, estates, labels, roll, rng)
        done += len(parcels)
        tell(f"parcels: {done:,} of {town.plan.parcels:,}")
        yield from rows.to_batches()


def _inner_points(shapes: Geometries) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Centroids, or where a centroid lies outside its polygon, another point inside; shape (n, 2), ft."""
    points = shapely.centroid(shapes)
    outside = ~shapely.contains(shapes, points)
    points[outside] = shapely.point_on_surface(shapes[outside])
    coordinates: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = shapely.get_coordinates(points)
    return coordinates


def _overlays(town: Town) -> Iterator[tuple[str, pa.Table, str]]:
    """The layers over the parcels: name, rows, geometry type."""
    zones = town.zones()
    yield "zoning", tables.zoning_rows(zones), "Polygon"
    neighborhoods = town.neighborhoods()
    yield "neighborhoods", tables.neighborhood_rows(neighborhoods), "MultiPolygon"
    yield "roads", tables.road_rows(town.roads()), "LineString"


def _write_layer(path: Path, layer: str, rows: pa.RecordBatchReader | pa.Table, geometry_type: str) -> None:
    pyogrio.write_arrow(
        rows,
        path,
        layer=layer,
        driver="GPKG",
        geometry_name="geom",
        geometry_type=geometry_type,
        crs=f"EPSG:{EPSG}",
        layer_options={"FID": "fid", "SPATIAL_INDEX": "YES"},
    )


@contextmanager
def _pinned_clock() -> Iterator[None]:
    """GDAL stamps what it writes with this date, not with today's."""
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _STAMP})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
