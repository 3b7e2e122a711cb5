"""A real county with real warts, the whole way: loaded, exported in every format, opened, counted, compared."""

import json
from pathlib import Path

import geopandas
import openpyxl
import pytest
import shapely

from gis_export.formats import ExportFormat
from tests.e2e.support import Client, LocalCloud, terrafusion
from tests.e2e.test_exports import ogrinfo_count, read

LOADED = "cambridge"
COUNTED = set(ExportFormat) - {ExportFormat.CSV, ExportFormat.GEOPARQUET, ExportFormat.XLSX, ExportFormat.DXF}
"""What Debian's ogrinfo can open, with the parcels as its features."""
NAMED_BY_FILE = {ExportFormat.SHAPEFILE, ExportFormat.MAPINFO, ExportFormat.GEOJSONSEQ}
MAPINFO_GRID = 1e-6  # degrees: it keeps coordinates on a grid over the whole globe


@pytest.fixture(scope="module")
def loaded(cloud: LocalCloud, cambridge: Path) -> dict[str, object]:
    """What `load` said."""
    done = terrafusion("load", LOADED, "parcels", str(cambridge), "--key", "ML", "--json", "--state", str(cloud.state))
    return dict(json.loads(done.stdout)["layer"])


@pytest.fixture
def analyst(loaded: dict[str, object], as_role) -> Client:  # type: ignore[no-untyped-def]
    return as_role("GISStaff", LOADED)  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def source(cambridge: Path) -> geopandas.GeoDataFrame:
    """The parcels that can be drawn, repaired as the loader repairs them."""
    frame = geopandas.read_file(cambridge)
    frame = frame[~(frame.geometry.isna() | frame.geometry.is_empty)]
    return frame.set_geometry(shapely.make_valid(frame.geometry.values), crs=frame.crs)


def test_the_loader_counts_what_is_wrong(loaded: dict[str, object], cambridge: Path) -> None:
    frame = geopandas.read_file(cambridge)
    quality = loaded["quality"]
    assert isinstance(quality, dict)

    drawable = frame[~(frame.geometry.isna() | frame.geometry.is_empty)]
    assert quality["read"] == len(frame) == 13_116
    assert quality["repaired"] == int((~drawable.geometry.is_valid).sum()) == 37
    assert quality["quarantined"] == len(frame) - len(drawable)
    stored_keys = drawable["ML"].dropna()
    assert quality["duplicate_keys"] == int(stored_keys.duplicated(keep=False).sum())
    assert int(stored_keys.duplicated().sum()) == 80


@pytest.mark.filterwarnings("ignore:organizePolygons")  # GDAL, on a parcel of many parts
@pytest.mark.parametrize("export_format", ExportFormat)
def test_every_format_has_every_parcel_where_it_is(
    analyst: Client, tmp_path: Path, source: geopandas.GeoDataFrame, export_format: str
) -> None:
    """Read with geopandas, counted with ogrinfo of another GDAL; a sheet has rows alone, a drawing rings alone."""
    job = analyst.submit(export_format)
    path = analyst.fetch(job, tmp_path)
    result = analyst.result(job)
    assert result["result_record_count"] == len(source)

    if export_format == ExportFormat.XLSX:
        sheet = openpyxl.load_workbook(path)["parcels"]
        assert sheet.max_row == len(source) + 1
        return
    made = read(path)
    if export_format == ExportFormat.DXF:
        polygons = shapely.get_parts(source.geometry.values)
        assert len(made) >= len(polygons)
        assert made.total_bounds == pytest.approx(source.total_bounds, abs=1e-7)
        assert made.length.sum() == pytest.approx(shapely.length(polygons).sum(), rel=1e-4)
        return
    assert len(made) == len(source)
    drift = abs(shapely.area(made.geometry.values).sum() / shapely.area(source.geometry.values).sum() - 1)
    assert drift < 1e-5
    assert shapely.is_valid(made.geometry.values).mean() > 0.999
    grid = MAPINFO_GRID if export_format == ExportFormat.MAPINFO else 1e-7
    assert made.total_bounds == pytest.approx(source.total_bounds, abs=grid)
    if export_format in COUNTED:
        layer = path.name.split(".")[0] if export_format in NAMED_BY_FILE else "parcels"
        assert ogrinfo_count(path, layer) == len(source)
