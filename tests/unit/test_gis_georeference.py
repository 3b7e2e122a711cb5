"""The CRS that files of a format are read in: what is refused since it would lie elsewhere, and what is let be."""

import pytest
from pyproj import CRS

from gis_export.acceptance import understand
from gis_export.formats import FORMATS, ExportFormat
from gis_export.georeference import displacement, named
from terrafusion.errors import Impossible
from tests.unit.test_gis_division import DEFAULT, county, layer, request

COUNTY = county(layer("parcels", 10))
OWN_GRID = CRS(
    "+proj=tmerc +lat_0=46 +lon_0=-119.3 +k=1.00005 +x_0=30000 +y_0=0 +datum=NAD83 +units=us-ft +no_defs"
).to_wkt()
BONNE = CRS("+proj=bonne +lat_1=46 +lon_0=-119.3 +datum=NAD83 +no_defs").to_wkt()
ANY = [name for name, spec in FORMATS.items() if spec.forced_crs is None and spec.crs_named is None]


def planned(export_format: ExportFormat, system: str) -> str:
    return understand(request(export_format, coordinate_system=system), COUNTY, DEFAULT).crs


@pytest.mark.parametrize(
    ("export_format", "system", "says"),
    [
        (ExportFormat.GEOJSON, OWN_GRID, r"reads such a file as EPSG:4326.*GPKG"),
        (ExportFormat.GML, OWN_GRID, r"reads such a file without a CRS"),
        (ExportFormat.MAPINFO, BONNE, r"without a CRS"),
        (ExportFormat.MAPINFO, "EPSG:32149", r"EPSG:32149 .* as EPSG:2286, 418 km off"),
    ],
)
def test_a_file_that_would_be_read_elsewhere_is_refused(export_format: ExportFormat, system: str, says: str) -> None:
    with pytest.raises(Impossible, match=says) as caught:
        planned(export_format, system)

    assert caught.value.errors[0].field == "parameters.coordinate_system"


@pytest.mark.parametrize("export_format", [ExportFormat.GEOJSON, ExportFormat.GML])
@pytest.mark.parametrize("system", ["EPSG:4326", "EPSG:2927", "EPSG:32149", "EPSG:3857"])
def test_formats_that_name_codes_name_them(export_format: ExportFormat, system: str) -> None:
    assert planned(export_format, system) == system
    assert named(export_format, system) == system


@pytest.mark.parametrize("system", ["EPSG:4326", "EPSG:4269", "EPSG:2286", "EPSG:26911", "EPSG:2927", "EPSG:6340"])
def test_mapinfo_is_let_be_where_at_most_the_datum_differs(system: str) -> None:
    found = named(ExportFormat.MAPINFO, system)

    assert planned(ExportFormat.MAPINFO, system) == system
    assert found is not None
    assert displacement(system, found, -119.3, 46.3) < 2


@pytest.mark.parametrize("export_format", ANY)
def test_other_formats_take_any_crs(export_format: ExportFormat) -> None:
    assert CRS(planned(export_format, OWN_GRID)) == CRS(OWN_GRID)


def test_how_far_off_a_place_is_read() -> None:
    assert displacement("EPSG:2927", "EPSG:2927", -119.3, 46.3) < 1e-3
    assert displacement("EPSG:32149", "EPSG:2286", -119.3, 46.3) == pytest.approx(416_000, rel=0.01)
    assert displacement("EPSG:2927", "EPSG:4326", -119.3, 46.3) > 1e6
