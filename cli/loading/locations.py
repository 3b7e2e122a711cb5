"""Where rows of a table lie: columns of coordinates, and the CRS that all is in."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyproj
import shapely

from cli.loading.columns import Column, Columns
from cli.loading.dataset import Dataset, Geometries, horizontal
from cli.loading.errors import LoadError
from cli.loading.standard import convert
from terrafusion.counties import FieldType
from terrafusion.counties.manifest import Box
from terrafusion.counties.standard import STANDARD_FIELDS

LONGITUDE = ("lon", "longitude", "long", "lng")
LATITUDE = ("lat", "latitude")
EASTING = ("x", "x_coord", "xcoord", "point_x", "easting")
NORTHING = ("y", "y_coord", "ycoord", "point_y", "northing")
WGS84 = pyproj.CRS.from_epsg(4326)


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Two columns that say where a row lies, in a CRS."""

    x: Column
    y: Column
    crs: pyproj.CRS

    def points(self, batch: pa.RecordBatch) -> Geometries:
        """A point for each row, None where a coordinate is missing, no number or off the globe."""
        x, y = (self._numbers(batch, column) for column in (self.x, self.y))
        good = np.isfinite(x) & np.isfinite(y)
        if self.crs.is_geographic:
            good &= (np.abs(x) <= 180) & (np.abs(y) <= 90)
        points = np.full(len(x), None, dtype=object)
        points[good] = shapely.points(x[good], y[good])
        return points

    @staticmethod
    def _numbers(batch: pa.RecordBatch, column: Column) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        values = column.read(batch).values
        numbers = values if pa.types.is_floating(values.type) else convert(values, FieldType.REAL).values
        return np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.float64)


def find_coordinates(columns: Columns, layer: str, crs: str | None) -> tuple[Columns, Coordinates | None]:
    """Find the coordinates of a table without geometry; in tables with a meaning they become `lon` and `lat`.

    Longitude and latitude are EPSG:4326 unless `crs` says else; columns like x and y count only with a `crs`.

    Raises
    ------
    LoadError
        When longitude and latitude are said to be in a projected CRS.
    """
    given = parse_crs(crs) if crs else None
    x, y = columns.named(*LONGITUDE), columns.named(*LATITUDE)
    if x and y:
        if given is not None and not given.is_geographic:
            raise LoadError(
                f"Columns '{x.source_name}' and '{y.source_name}' hold longitude and latitude, but {crs} is projected; "
                f"leave --crs out, or give a geographic one."
            )
        if layer in STANDARD_FIELDS and (given is None or given == WGS84):
            longitude, latitude = x.standard("lon"), y.standard("lat")
            columns = columns.replaced(x, longitude).replaced(y, latitude)
            x, y = longitude, latitude
        return columns, Coordinates(x, y, given or WGS84)
    x, y = columns.named(*EASTING), columns.named(*NORTHING)
    return columns, Coordinates(x, y, given) if x and y and given is not None else None


def unused_coordinates(columns: Columns) -> tuple[str, ...]:
    """A note when a table has columns that look like coordinates in a CRS that nobody told."""
    x, y = columns.named(*EASTING), columns.named(*NORTHING)
    if not (x and y):
        return ()
    return (f"columns '{x.name}' and '{y.name}' are not taken as locations; to do so, add --crs",)


def parse_crs(crs: str) -> pyproj.CRS:
    """A CRS from what an operator typed: a code, WKT or PROJ text."""
    try:
        return horizontal(crs)
    except pyproj.exceptions.CRSError as error:
        raise LoadError(f"'{crs}' is no CRS that is known; give one like EPSG:2927.") from error


def agreed_crs(dataset: Dataset, file: str, given: str | None) -> pyproj.CRS:
    """The CRS of a dataset with geometry: the file's, or the given one where the file has none.

    Raises
    ------
    LoadError
        When there is neither, or both and they differ.
    """
    own = dataset.crs
    if given is None:
        if own is None:
            raise LoadError(f"{file} does not say its CRS (a Shapefile does so in its .prj); add --crs EPSG:….")
        return own
    wanted = parse_crs(given)
    if own is None or own.equals(wanted, ignore_axis_order=True) or epsg(own) == epsg(wanted) is not None:
        return wanted if own is None else own
    raise LoadError(
        f"{file} says that it is in {epsg(own) or own.name}, not in {given}; leave --crs out, or correct the file."
    )


def epsg(crs: pyproj.CRS) -> str | None:
    """The CRS's EPSG code like `EPSG:2927`, also where the file spells it out only."""
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else None


def box_in_degrees(bounds: Box, crs: pyproj.CRS, file: str) -> Box:
    """Bounds in a CRS as longitude and latitude (EPSG:4326).

    Raises
    ------
    LoadError
        When the coordinates cannot be of that CRS.
    """
    west, south, east, north = bounds
    if crs.is_geographic and (max(-west, east) > 360 or max(-south, north) > 90.001):
        raise LoadError(
            f"{file} says that it is in {epsg(crs) or crs.name}, but its coordinates ({west:g} {south:g} to {east:g} "
            f"{north:g}) are no degrees; find out their CRS, set it in the file (ogr2ogr -a_srs) and load that."
        )
    box = pyproj.Transformer.from_crs(crs, WGS84, always_xy=True).transform_bounds(*bounds)
    if not np.isfinite(box).all():
        raise LoadError(
            f"{file} has coordinates ({west:g} {south:g} to {east:g} {north:g}) that lie outside its CRS "
            f"{epsg(crs) or crs.name}; check that the CRS is right."
        )
    return box[0], box[1], box[2], box[3]
