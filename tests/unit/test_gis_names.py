"""What columns are named in a file."""

import xml.etree.ElementTree as ET

import pytest

from gis_export.formats import ExportFormat
from gis_export.names import names_in_file, own_names


def named(export_format: ExportFormat, *columns: str, kind: str = "Integer") -> dict[str, str]:
    return names_in_file(export_format, dict.fromkeys(columns, kind))


@pytest.mark.parametrize("export_format", [ExportFormat.GML, ExportFormat.MAPINFO, ExportFormat.FILEGDB])
def test_no_two_columns_get_the_same_name_in_any_case(export_format: ExportFormat) -> None:
    columns = ["a b", "a_b", "A-B", "A_b_", "a,b"]

    found = named(export_format, *columns)

    in_file = [found.get(name, name) for name in columns]
    assert found.keys() == {"a b", "A-B", "a,b"}
    assert len({name.casefold() for name in in_file}) == len(columns)


@pytest.mark.parametrize("name", ["Parcel ID", "50%", "9lives", ".x", "x²", "a&b", 'a"b', "Größe", "地块", "µ", "ªº"])
def test_names_in_gml_are_names_of_elements(name: str) -> None:
    (in_file,) = [named(ExportFormat.GML, name).get(name, name)]

    ET.fromstring(f"<{in_file}/>")

    assert (in_file == name) == (name in {"Größe", "地块"})


def test_text_under_a_label_s_name_is_the_label_and_a_number_is_not() -> None:
    assert named(ExportFormat.KML, "NAME", "Description", kind="String") == {
        "NAME": "Name",
        "Description": "description",
    }
    assert named(ExportFormat.KML, "name") == {"name": "name_"}
    assert named(ExportFormat.KML, "ID", "id_") == {"ID": "ID__"}


def test_most_formats_take_any_name() -> None:
    names = ["Parcel ID", "OBJECTID", "id", "name", "MAP", "a,b"]

    assert not any(named(form, *names) for form in (ExportFormat.GPKG, ExportFormat.SHAPEFILE, ExportFormat.GEOJSON))


def test_what_a_format_adds_makes_way_for_the_layer_s_columns() -> None:
    assert own_names(ExportFormat.FILEGDB, ["objectid", "Shape"]) == ["FID=OBJECTID_", "GEOMETRY_NAME=SHAPE_"]
    assert own_names(ExportFormat.GPKG, ["FID", "fid_"]) == ["FID=fid__", "GEOMETRY_NAME=geom"]
    assert own_names(ExportFormat.CSV, ["fid"]) == []
