"""From a county's plane coordinates to longitude and latitude, for the projections that counties use.

Lambert's conformal conic (most State Plane zones) and the transverse Mercator (the others, and UTM) are inverted by
the formulas of EPSG guidance note 7-2 and Snyder 1987. The datum stays: NAD83 and WGS 84 lie 1 to 2 m apart.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import asin, asinh, atan, atan2, atanh, cos, cosh, degrees, exp, log, pi, sin, sinh, sqrt, tan

Position = tuple[float, float]
Unproject = Callable[[float, float], Position]

_ELLIPSOID = re.compile(r'(?:ELLIPSOID|SPHEROID)\["[^"]*",([\d.]+),([\d.]+)')
_METHOD = re.compile(r'METHOD\["([^"]+)"')
_PARAMETER = re.compile(r'PARAMETER\["([^"]+)",([-+\d.eE]+),\w+UNIT\["[^"]*",([\d.eE+-]+)')
_AXIS_UNIT = re.compile(r'LENGTHUNIT\["[^"]*",([\d.eE+-]+)')
PRECISION = 1e-14


def unprojection(wkt: str) -> Unproject | None:
    """What brings coordinates of a CRS, given as WKT 2, to degrees (longitude, latitude); None when it is another kind.

    A geographic CRS is left as it is.
    """
    if wkt.startswith(("GEOGCRS", "GEODCRS")):
        return lambda x, y: (x, y)
    ellipsoid, method = _ELLIPSOID.search(wkt), _METHOD.search(wkt)
    unit = _AXIS_UNIT.search(wkt, wkt.find("CS[Cartesian"))
    if not wkt.startswith("PROJCRS") or ellipsoid is None or method is None or unit is None:
        return None
    kind = _KINDS.get(method[1])
    if kind is None:
        return None
    flattening = 1 / float(ellipsoid[2])
    shape = _Ellipsoid(float(ellipsoid[1]), flattening)
    parameters = {name: float(value) * float(factor) for name, value, factor in _PARAMETER.findall(wkt)}
    try:
        return kind(shape, parameters, float(unit[1]))
    except KeyError:
        return None


@dataclass(frozen=True, slots=True)
class _Ellipsoid:
    """Semi-major axis in meters, and flattening."""

    axis: float
    flattening: float

    @property
    def eccentricity(self) -> float:
        return sqrt(self.flattening * (2 - self.flattening))

    def isometric(self, latitude: float) -> float:
        """EPSG's t for a latitude in radians."""
        e = self.eccentricity
        ratio: float = ((1 - e * sin(latitude)) / (1 + e * sin(latitude))) ** (e / 2)
        return tan(pi / 4 - latitude / 2) / ratio

    def latitude(self, isometric: float) -> float:
        """The latitude in radians of an isometric t."""
        e, latitude, before = self.eccentricity, pi / 2 - 2 * atan(isometric), 9.0
        while abs(latitude - before) > PRECISION:
            before = latitude
            ratio = (1 - e * sin(latitude)) / (1 + e * sin(latitude))
            latitude = pi / 2 - 2 * atan(isometric * ratio ** (e / 2))
        return latitude

    def parallel(self, latitude: float) -> float:
        """EPSG's m: the radius of a parallel over the semi-major axis."""
        return cos(latitude) / sqrt(1 - (self.eccentricity * sin(latitude)) ** 2)


def _lambert(shape: _Ellipsoid, given: dict[str, float], unit: float) -> Unproject:
    """Lambert Conic Conformal with two standard parallels (EPSG 9802)."""
    first, second = given["Latitude of 1st standard parallel"], given["Latitude of 2nd standard parallel"]
    origin, middle = given["Latitude of false origin"], given["Longitude of false origin"]
    east, north = given["Easting at false origin"], given["Northing at false origin"]
    if abs(first - second) > 1e-10:
        cone = log(shape.parallel(first) / shape.parallel(second)) / log(
            shape.isometric(first) / shape.isometric(second)
        )
    else:
        cone = sin(first)
    scale = shape.axis * shape.parallel(first) / (cone * shape.isometric(first) ** cone)
    top = scale * shape.isometric(origin) ** cone

    def unproject(x: float, y: float) -> Position:
        right, up = x * unit - east, top - (y * unit - north)
        sign = 1.0 if cone > 0 else -1.0
        radius = sign * sqrt(right**2 + up**2)
        latitude = shape.latitude((radius / scale) ** (1 / cone))
        return degrees(middle + atan2(sign * right, sign * up) / cone), degrees(latitude)

    return unproject


def _mercator(shape: _Ellipsoid, given: dict[str, float], unit: float) -> Unproject:
    """Transverse Mercator (EPSG 9807), by Krüger's series in the third flattening to the fourth order."""
    n = shape.flattening / (2 - shape.flattening)
    radius = shape.axis / (1 + n) * (1 + n**2 / 4 + n**4 / 64) * given["Scale factor at natural origin"]
    origin, middle = given["Latitude of natural origin"], given["Longitude of natural origin"]
    east, north = given["False easting"], given["False northing"]
    beta = (
        n / 2 - 2 * n**2 / 3 + 37 * n**3 / 96 - n**4 / 360,
        n**2 / 48 + n**3 / 15 - 437 * n**4 / 1440,
        17 * n**3 / 480 - 37 * n**4 / 840,
        4397 * n**4 / 161280,
    )
    alpha = (
        n / 2 - 2 * n**2 / 3 + 5 * n**3 / 16 + 41 * n**4 / 180,
        13 * n**2 / 48 - 3 * n**3 / 5 + 557 * n**4 / 1440,
        61 * n**3 / 240 - 103 * n**4 / 140,
        49561 * n**4 / 161280,
    )
    e = shape.eccentricity
    conformal = atan(sinh(asinh(tan(origin)) - e * atanh(e * sin(origin))))
    start = conformal + sum(a * sin(2 * at * conformal) for at, a in enumerate(alpha, 1))

    def unproject(x: float, y: float) -> Position:
        xi, eta = (y * unit - north) / radius + start, (x * unit - east) / radius
        xi0 = xi - sum(b * sin(2 * at * xi) * cosh(2 * at * eta) for at, b in enumerate(beta, 1))
        eta0 = eta - sum(b * cos(2 * at * xi) * sinh(2 * at * eta) for at, b in enumerate(beta, 1))
        conformal = asin(sin(xi0) / cosh(eta0))
        longitude = middle + atan2(sinh(eta0), cos(xi0))
        return degrees(longitude), degrees(shape.latitude(exp(-asinh(tan(conformal)))))

    return unproject


_KINDS: dict[str, Callable[[_Ellipsoid, dict[str, float], float], Unproject]] = {
    "Lambert Conic Conformal (2SP)": _lambert,
    "Transverse Mercator": _mercator,
}
