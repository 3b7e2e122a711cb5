"""Publishing a layer: readers see the old snapshot or the new one, whatever happens in between."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from terrafusion.counties import (
    Catalogue,
    CountyConfiguration,
    FileEntry,
    LayerKind,
    LayerManifest,
    Quality,
    Source,
)
from terrafusion.errors import NotFound
from terrafusion.storage import Storage


def layer(name: str, version: str) -> LayerManifest:
    return LayerManifest(
        layer=name,
        version=version,
        kind=LayerKind.FEATURES,
        geometry_type="MultiPolygon",
        crs="EPSG:2927",
        crs_wkt=None,
        bbox=(-119.4, 46.2, -119.2, 46.3),
        native_bbox=None,
        count=1,
        fields=(),
        key=None,
        source=Source(name="a.gpkg", layer=None, driver="GPKG", sha256="0", size_bytes=1, crs=None),
        quality=Quality(read=1, stored=1),
        files=(FileEntry(name="data.fgb", size_bytes=3, sha256="0"),),
        loader="1",
    )


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "data.fgb").write_bytes(b"fgb")
    return tmp_path


@pytest.fixture
def catalogue(data: Storage) -> Catalogue:
    return Catalogue(data)


def test_layers_join_into_snapshots_and_old_ones_stay(catalogue: Catalogue, files: Path) -> None:
    first = catalogue.publish("benton", layer("parcels", "1"), files)
    second = catalogue.publish("benton", layer("roads", "1"), files)
    third = catalogue.publish("benton", layer("parcels", "2"), files)

    assert catalogue.current("benton") == third
    assert {name: m.version for name, m in third.layers.items()} == {"parcels": "2", "roads": "1"}
    assert catalogue.snapshot("benton", first.version) == first
    assert catalogue.snapshot("benton", second.version) == second
    assert third.map_layers == ("parcels", "roads")


def test_the_same_layer_again_changes_nothing(catalogue: Catalogue, files: Path) -> None:
    first = catalogue.publish("same", layer("parcels", "1"), files)

    assert catalogue.publish("same", layer("parcels", "1"), files) == first


def test_what_a_later_version_tells_besides_does_not_hide_a_county_s_data(
    catalogue: Catalogue, data: Storage, files: Path
) -> None:
    published = catalogue.publish("later", layer("parcels", "1"), files)
    key = f"counties/later/snapshots/{published.version}.json"
    document = data.read_json(key)
    document["layers"]["parcels"]["quality"]["sampled"] = 7
    document["told_by_a_later_version"] = True
    data.write_json(key, document)

    assert catalogue.snapshot("later", published.version) == published


def test_a_publisher_that_dies_before_the_pointer_leaves_the_old_snapshot(
    catalogue: Catalogue, files: Path, tmp_path: Path
) -> None:
    first = catalogue.publish("dies", layer("parcels", "1"), files)
    incomplete = layer("parcels", "2").model_copy(
        update={"files": (*layer("parcels", "2").files, FileEntry(name="gone.csv", size_bytes=1, sha256="0"))}
    )

    with pytest.raises(OSError, match=r"gone\.csv"):
        catalogue.publish("dies", incomplete, files)

    assert catalogue.current("dies") == first


def test_publishers_at_once_all_succeed(catalogue: Catalogue, files: Path) -> None:
    names = [f"layer_{i}" for i in range(8)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: catalogue.publish("busy", layer(name, "1"), files), names))

    assert sorted(catalogue.current("busy").layers) == names


@pytest.mark.parametrize("county", ["atlantis", "../etc", "a/b", "", "-x", "x" * 65])
def test_an_unknown_county_is_not_found(catalogue: Catalogue, county: str) -> None:
    with pytest.raises(NotFound):
        catalogue.current(county)


@pytest.mark.parametrize(("county", "name"), [("a/b", "parcels"), ("a", "../x"), ("a", "Parcels"), ("a", "")])
def test_names_that_cannot_be_are_refused(catalogue: Catalogue, files: Path, county: str, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        catalogue.publish(county, layer(name, "1"), files)


def test_a_configuration_has_defaults_for_what_it_does_not_say(catalogue: Catalogue) -> None:
    assert catalogue.configuration("none").gis_export.max_export_area_sq_km == 500

    wanted = CountyConfiguration.model_validate({"gis_export": {"max_export_area_sq_km": 25}})
    catalogue.configure("configured", wanted)

    read = catalogue.configuration("configured")
    assert read.gis_export.max_export_area_sq_km == 25
    assert read.valuation.confidence_threshold_for_review == 0.75
