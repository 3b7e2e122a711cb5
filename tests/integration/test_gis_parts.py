"""Several layers of which one fails, limits, and what goes into a zip beside the data."""

import json
import zipfile
from pathlib import Path

import geopandas
import pyogrio
import pytest
from shapely.geometry import Point, box

from gis_export.engine import ExportResult, export
from gis_export.formats import FORMATS, ExportFormat
from gis_export.gdal import EngineError, TooLarge
from gis_export.limits import Column, Limits, check_format, table_bytes
from gis_export.selection import LayerSource

TOGETHER = [name for name in ExportFormat if FORMATS[name].many_layers]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[LayerSource]:
    """Three layers; the one in the middle is damaged halfway through."""
    folder = tmp_path_factory.mktemp("layers")
    made = []
    for name, count in (("first", 50), ("broken", 3_000), ("last", 7)):
        frame = geopandas.GeoDataFrame(
            {"n": range(count), "text": ["x" * 50] * count},
            geometry=[box(n / 1e3, 0, n / 1e3 + 1e-3, 1e-3) for n in range(count)],
            crs=4326,
        )
        frame.to_file(folder / f"{name}.fgb", driver="FlatGeobuf")
        made.append(LayerSource(name, str(folder / f"{name}.fgb")))
    whole = Path(made[1].path).read_bytes()
    Path(made[1].path).write_bytes(whole[: len(whole) * 2 // 3])
    return made


def layers_in(result: ExportResult) -> set[str]:
    if result.path.suffix != ".zip":
        return {str(name) for name, _ in pyogrio.list_layers(result.path)}
    names = zipfile.ZipFile(result.path).namelist()
    inner = next((n.split("/")[0] for n in names if ".gdb/" in n or n.endswith(".gml")), None)
    if inner is None:
        return {Path(name).stem for name in names}
    return {str(name) for name, _ in pyogrio.list_layers(f"/vsizip/{result.path}/{inner}")}


@pytest.mark.parametrize("export_format", ExportFormat)
def test_a_layer_that_fails_does_not_take_the_others_with_it(
    sources: list[LayerSource], tmp_path: Path, export_format: ExportFormat
) -> None:
    result = export(sources, tmp_path, "out", export_format, all_or_nothing=False)

    assert [(layer.name, layer.record_count, layer.error is None) for layer in result.layers] == [
        ("first", 50, True),
        ("broken", 0, False),
        ("last", 7, True),
    ]
    assert result.layers[1].error
    assert "missing" in result.layers[1].warnings[0]
    assert layers_in(result) == {"first", "last"}


@pytest.mark.parametrize("export_format", [ExportFormat.GPKG, ExportFormat.CSV])
def test_all_or_nothing_leaves_nothing(sources: list[LayerSource], tmp_path: Path, export_format: ExportFormat) -> None:
    with pytest.raises(EngineError):
        export(sources, tmp_path, "out", export_format, all_or_nothing=True)

    assert list(tmp_path.iterdir()) == []


def test_when_every_layer_fails_the_export_does(sources: list[LayerSource], tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="broken"):
        export(sources[1:2], tmp_path, "out", ExportFormat.GPKG, all_or_nothing=False)

    assert list(tmp_path.iterdir()) == []


def test_features_are_counted_over_all_layers(sources: list[LayerSource], tmp_path: Path) -> None:
    both = [sources[0], sources[2]]
    assert export(both, tmp_path, "fits", ExportFormat.GPKG, limits=Limits(features=57)).layers[1].record_count == 7

    with pytest.raises(TooLarge, match=r"57 features.*limit is 56"):
        export(both, tmp_path, "out", ExportFormat.GPKG, limits=Limits(features=56), all_or_nothing=False)

    assert [path.name for path in tmp_path.iterdir()] == ["fits.gpkg"]


def test_a_file_beyond_the_limit_is_refused_and_gone(sources: list[LayerSource], tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match=r"bytes; this county's limit is 1,000"):
        export(sources[:1], tmp_path, "out", ExportFormat.GPKG, limits=Limits(result_bytes=1_000))

    assert list(tmp_path.iterdir()) == []


def test_a_shapefile_beyond_2_gb_is_refused_with_another_format() -> None:
    columns = [Column("String", 254)] * 10

    assert table_bytes(1_000_000, columns) == 2_541_000_000
    with pytest.raises(TooLarge, match=r"2,541,000,000 bytes.*GPKG"):
        check_format(ExportFormat.SHAPEFILE, "parcels", 1_000_000, columns)
    check_format(ExportFormat.SHAPEFILE, "parcels", 800_000, columns)
    check_format(ExportFormat.GPKG, "parcels", 10_000_000, columns)


def test_a_sheet_with_too_many_rows_is_refused() -> None:
    with pytest.raises(TooLarge, match=r"200,001 rows.*CSV"):
        check_format(ExportFormat.XLSX, "parcels", 200_001, [])


def test_the_table_s_size_is_as_foretold(tmp_path: Path) -> None:
    frame = geopandas.GeoDataFrame({"n": [1, 2], "text": ["a" * 40, "b"]}, geometry=[Point(0, 0)] * 2, crs=4326)
    frame.to_file(tmp_path / "p.fgb", driver="FlatGeobuf")

    result = export([LayerSource("p", str(tmp_path / "p.fgb"))], tmp_path, "out", ExportFormat.SHAPEFILE)

    with zipfile.ZipFile(result.path) as archive:
        table = next(info for info in archive.infolist() if info.filename.endswith(".dbf"))
        head = archive.read(table.filename)[:12]
    record = int.from_bytes(head[10:12], "little")
    foretold = table_bytes(1, [Column("Integer64", 0), Column("String", 0)])
    assert abs(record - foretold) <= 254 - 80 + 1  # text whose width nobody declared has 80 bytes in GDAL's tables


def test_companions_travel_in_the_zip_alone(sources: list[LayerSource], tmp_path: Path) -> None:
    seen: list[str] = []

    def companions(folder: Path, files: object, layers: object) -> None:
        seen.append(folder.name)
        (folder / "note.json").write_text(json.dumps("hello"))

    alone = export(sources[:1], tmp_path, "alone", ExportFormat.GPKG, companions=companions)
    zipped = export(sources[:1], tmp_path, "zipped", ExportFormat.GPKG, companions=companions, bundle=True)

    assert alone.path.suffix == ".gpkg"
    assert set(zipfile.ZipFile(zipped.path).namelist()) == {"zipped.gpkg", "note.json"}
    assert [part.name for part in zipped.parts] == ["zipped.gpkg"]
    assert len(seen) == 1
