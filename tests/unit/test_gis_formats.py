"""Formats by any of their names, and CRS by code or WKT and by nothing else."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

from gis_export import crs
from gis_export.formats import FORMATS, ExportFormat


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("gpkg", ExportFormat.GPKG),
        ("GeoPackage", ExportFormat.GPKG),
        ("SHP", ExportFormat.SHAPEFILE),
        (" shapefile ", ExportFormat.SHAPEFILE),
        ("geojson", ExportFormat.GEOJSON),
        ("FGB", ExportFormat.FLATGEOBUF),
        ("csv", ExportFormat.CSV),
        ("Kml", ExportFormat.KML),
        ("filegdb", ExportFormat.FILEGDB),
        ("PARQUET", ExportFormat.GEOPARQUET),
    ],
)
def test_a_format_is_known_by_its_names_in_any_case(name: str, wanted: ExportFormat) -> None:
    assert ExportFormat.parse(name) is wanted


def test_an_unknown_format_is_answered_with_the_known() -> None:
    with pytest.raises(ValueError, match=r"'DWG'.*GPKG.*GeoParquet"):
        ExportFormat.parse("DWG")


def test_every_format_says_how_it_is_written() -> None:
    assert set(FORMATS) == set(ExportFormat)
    assert len({spec.extension for spec in FORMATS.values()}) == len(FORMATS)


@pytest.mark.parametrize("text", ["EPSG:2927", "epsg:2927", "2927", "urn:ogc:def:crs:EPSG::2927", CRS(2927).to_wkt()])
def test_a_crs_is_known_by_code_urn_and_wkt(text: str) -> None:
    found = crs.resolve(text)

    assert found.code == "EPSG:2927"
    assert not found.is_geographic
    assert CRS(found.wkt) == CRS(2927)
    assert found.area_of_use == pytest.approx(CRS(2927).area_of_use.bounds)


@pytest.mark.parametrize(
    "text",
    [
        "EPSG:99999", "EPSG:0", "", "nonsense", "/etc/passwd", "file:///etc/passwd", "http://example.com/2927.wkt",
        "+proj=utm +zone=10", "+init=epsg:2927", "ESRI:102100", "PROJCS[", "IGNF:LAMB93", "EPSG:5703",
    ],
)  # fmt: skip
def test_anything_else_is_refused_and_named(text: str) -> None:
    with pytest.raises(crs.UnknownCrs) as error:
        crs.resolve(text)

    assert text in str(error.value)


@given(st.text(max_size=60))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with contextlib.suppress(crs.UnknownCrs):
        assert crs.resolve(text).name


def test_a_code_of_another_authority_is_kept_as_wkt() -> None:
    found = crs.resolve(CRS("ESRI:102749").to_wkt())

    assert found.code is None
    assert crs.is_same(found.wkt, CRS("ESRI:102749").to_wkt())
    assert not crs.is_same(found.wkt, "EPSG:2927")
