"""How an export is divided: exactly, into what a worker and a file take; and what cannot be parted is said."""

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis_export.acceptance import accept, understand
from gis_export.capacity import WORKER_DISK_BYTES, columns_of, part_size, worker_size
from gis_export.division import check_parts, expected_parts, takes_parts
from gis_export.estimate import AT_ONCE
from gis_export.formats import FORMATS, ExportFormat, LossKind
from gis_export.limits import rows_held, table_bytes
from gis_export.losses import Loss
from gis_export.models import ExportRequest
from gis_export.order import EMPTY, LayerResult
from gis_export.part_results import PartResult, whole_layer, with_files
from gis_export.parts import Division, Part, divide
from gis_export.plan import ExportPlan
from gis_export.selection import Settled
from terrafusion.counties import (
    CountyConfiguration,
    CountySnapshot,
    Field,
    FieldType,
    FileEntry,
    GisExportConfiguration,
    LayerKind,
    LayerManifest,
    Quality,
    Source,
)
from terrafusion.errors import Impossible
from terrafusion.jobs.work import KeptFile
from tests.conftest import ROOT

DEFAULT = CountyConfiguration()


def layer(name: str, count: int, *, each: int = 700, geometry: str = "MultiPolygon", essay: int = 40) -> LayerManifest:
    """A layer of so many features, of so many bytes each."""
    return LayerManifest(
        layer=name,
        version="1" * 16,
        kind=LayerKind.FEATURES,
        geometry_type=geometry,
        crs="EPSG:4326",
        crs_wkt=None,
        bbox=(-119.4, 46.2, -119.2, 46.4),
        native_bbox=(-119.4, 46.2, -119.2, 46.4),
        count=count,
        fields=(
            Field(name="property_id", type=FieldType.STRING, width=15),
            Field(name="legal_description", type=FieldType.STRING, width=essay),
            Field(name="geo_pin", type=FieldType.INTEGER64),
        ),
        key="property_id",
        source=Source(name="p.gpkg", layer=None, driver="GPKG", sha256="0" * 64, size_bytes=1, crs=None),
        quality=Quality(read=count, stored=count),
        files=(FileEntry(name="data.fgb", size_bytes=each * count, sha256="0" * 64),),
        loader="tests",
    )


def county(*layers: LayerManifest) -> CountySnapshot:
    return CountySnapshot(
        county_id="c",
        version="v" * 16,
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
        layers={each.layer: each for each in layers},
    )


def request(export_format: str = "GPKG", layers: tuple[str, ...] = ("parcels",), **more: Any) -> ExportRequest:
    area = more.pop("area_of_interest", None)
    return ExportRequest.model_validate(
        {
            "county_id": "c",
            "export_format": export_format,
            "layers": layers,
            "area_of_interest": area,
            "parameters": more,
        }
    )


def planned(snapshot: CountySnapshot, export_format: str = "GPKG", **more: Any) -> ExportPlan:
    return understand(request(export_format, tuple(snapshot.layers), **more), snapshot, DEFAULT)


@st.composite
def ranges(draw: Any) -> list[tuple[int, int]]:
    """Spans with gaps between them."""
    at, spans = 0, []
    for gap, length in draw(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 400)), max_size=12)):
        spans.append((at + gap, at + gap + length))
        at = spans[-1][1]
    return spans


@given(spans=ranges(), most=st.integers(1, 500))
def test_parts_hold_each_feature_of_the_spans_once(spans: list[tuple[int, int]], most: int) -> None:
    parts = divide("parcels", spans, most)

    wanted = {number for first, end in spans for number in range(first, end)}
    held = [number for part in parts for number in range(part.first, part.end) if number in wanted]
    assert sorted(held) == sorted(wanted)
    assert all(before.end <= after.first for before, after in pairwise(parts))
    sizes = [sum(number in wanted for number in range(part.first, part.end)) for part in parts]
    assert max(sizes) <= most
    assert max(sizes) - min(sizes) <= 1
    assert [(part.number, part.count) for part in parts] == [(n + 1, len(parts)) for n in range(len(parts))]
    assert len(parts) == max(1, -(-len(wanted) // most))


def test_a_division_is_read_back_as_it_was_noted() -> None:
    division = Division(
        (Part("parcels", 1, 2, 0, 5), Part("parcels", 2, 2, 5, 9)), {"parcels": Settled(("pin",), True)}
    )

    assert Division.from_document(division.document) == division


@pytest.mark.parametrize("export_format", ExportFormat)
def test_a_million_parcels_are_one_worker_s_in_every_format(export_format: ExportFormat) -> None:
    snapshot = county(layer("parcels", 1_000_000))
    plan = planned(snapshot, export_format)

    assert not takes_parts(plan, snapshot, DEFAULT.gis_export, {"parcels": 1_000_000})


@pytest.mark.parametrize("export_format", ExportFormat)
def test_no_part_is_more_than_a_worker_s_time_and_disk(export_format: ExportFormat) -> None:
    heavy = county(layer("parcels", 1_000_000, each=50_000))
    plan = planned(heavy, export_format, bundle=True)

    size = worker_size(plan, heavy.layers["parcels"], GisExportConfiguration(max_features_per_worker=10**9))

    assert 0 < size * 50_000 * 2 < WORKER_DISK_BYTES
    light = county(layer("parcels", 1_000_000, each=10))
    size = worker_size(plan, light.layers["parcels"], GisExportConfiguration(max_features_per_worker=10**9))
    assert size < 900 * 1e6 / 10


def test_five_million_come_in_parts_by_themselves_and_changes_and_coverages_do_not() -> None:
    snapshot = county(layer("parcels", 5_000_000))
    counts = {"parcels": 5_000_000}

    assert expected_parts(planned(snapshot), snapshot, DEFAULT.gis_export, counts) == 3
    assert accept(request(), snapshot, DEFAULT).features_per_part is None
    with pytest.raises(Impossible, match=r"compares 2,000,000 features at most, and .* 5,000,000.*without since"):
        accept(request(since="older"), snapshot, DEFAULT, older=snapshot)
    with pytest.raises(Impossible, match=r"5,000,000 polygons to simplify together; at most 250,000.*an area"):
        accept(request(simplify_tolerance=1e-4), snapshot, DEFAULT)


def test_a_small_layer_beside_a_large_one_is_a_part_of_its_own() -> None:
    snapshot = county(layer("parcels", 1_000), layer("roads", 30, geometry="MultiLineString"))
    counts = {name: found.count for name, found in snapshot.layers.items()}
    settings = DEFAULT.gis_export

    assert expected_parts(planned(snapshot, features_per_part=400), snapshot, settings, counts) == 4
    assert expected_parts(planned(snapshot, features_per_part=5_000), snapshot, settings, counts) == 1


def test_parts_of_what_must_stay_together_are_refused_with_the_way_out() -> None:
    snapshot = county(layer("parcels", 1_000), layer("roads", 30, geometry="MultiLineString"))

    with pytest.raises(Impossible, match=r"one file: leave features_per_part out, or .* without since"):
        accept(request(features_per_part=400, since="older"), snapshot, DEFAULT, older=snapshot)
    with pytest.raises(Impossible, match=r"polygons of parcels .* simplify_tolerance of 0"):
        accept(request("GPKG", ("parcels", "roads"), features_per_part=400, simplify_tolerance=1e-4), snapshot, DEFAULT)
    by_default = CountyConfiguration(gis_export=GisExportConfiguration(default_simplify_tolerance=1e-4))
    with pytest.raises(Impossible, match="simplify_tolerance of 0"):
        accept(request(features_per_part=400), snapshot, by_default)
    assert accept(request(features_per_part=400, simplify_tolerance=0), snapshot, by_default).features_per_part == 400
    lines = request("GPKG", ("roads",), features_per_part=100, simplify_tolerance=1e-4)
    assert accept(lines, snapshot, DEFAULT).shape.tolerance == 1e-4


def test_too_many_parts_are_refused_with_a_figure_that_does() -> None:
    snapshot = county(layer("parcels", 1_000_000))

    with pytest.raises(Impossible, match=r"would make 10,000 parts; at most 200 .* of 5,026 or more") as caught:
        accept(request(features_per_part=100), snapshot, DEFAULT)

    assert caught.value.errors[0].field == "parameters.features_per_part"
    assert accept(request(features_per_part=5_026), snapshot, DEFAULT)


@given(
    counts=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 10**8), min_size=1),
    each=st.integers(100, 10**6),
)
def test_the_figure_that_is_named_does(counts: dict[str, int], each: int) -> None:
    try:
        check_parts(counts, dict.fromkeys(counts, each))
    except Impossible as error:
        named = int(error.message.split("features_per_part of ")[1].split(" ")[0].replace(",", ""))
        check_parts(counts, dict.fromkeys(counts, named))


def test_a_shapefile_beyond_2_gb_is_refused_before_there_is_a_job_and_says_which_parts_would_do() -> None:
    snapshot = county(layer("parcels", 12_000_000, each=50, essay=254))
    wide = CountyConfiguration(gis_export=GisExportConfiguration(max_features_per_worker=20_000_000))

    with pytest.raises(
        Impossible, match=r"bytes, and Shapefile holds 2,147,483,648.* features_per_part of at most"
    ) as e:
        accept(request("Shapefile"), snapshot, wide)

    named = int(e.value.message.split("at most ")[1].rstrip(".").replace(",", ""))
    plan = accept(request("Shapefile", features_per_part=named), snapshot, wide)
    assert table_bytes(named, columns_of(plan, snapshot, "parcels")) <= 2**31
    assert accept(request("Shapefile", features_per_part=10_000_000), snapshot, wide).features_per_part == 10_000_000
    assert part_size(plan, snapshot, wide.gis_export, "parcels") <= named


def test_what_a_file_holds_bounds_a_part_and_geometries_count() -> None:
    snapshot = county(layer("parcels", 1_000_000, each=20_000))
    plan = planned(snapshot, "Shapefile", features_per_part=1_000_000)
    settings = GisExportConfiguration(max_features_per_worker=10**9)

    assert part_size(plan, snapshot, settings, "parcels") <= 2**31 / 20_000
    assert rows_held(ExportFormat.XLSX, []) == FORMATS[ExportFormat.XLSX].max_rows
    assert rows_held(ExportFormat.GPKG, []) is None
    as_text = columns_of(plan, snapshot, "parcels", ("geo_pin",))
    assert table_bytes(1, as_text) == 1 + 15 + 40 + 254


def test_estimates_know_how_many_parts_are_made_at_once() -> None:
    workflow = json.loads((ROOT / "functions/gis_export/workflow.asl.json").read_text(encoding="utf-8"))

    assert workflow["States"]["ExportParts"]["MaxConcurrency"] == AT_ONCE


def lost(count: int, column: str = "12 x") -> Loss:
    return Loss(LossKind.TEXT_CUT, f"column '{column}': {count:,} texts are cut at 254 bytes", column, count)


def part_result(
    count: int, *losses: Loss, extent: Any = (0.0, 0.0, 1.0, 1.0), said: tuple[str, ...] = ()
) -> PartResult:
    told = (*(loss.message for loss in losses), *said, *([] if count else [EMPTY]))
    result = LayerResult(
        "parcels", count, "MultiPolygon", told, {"long_name": "long"}, losses, extent if count else None
    )
    return PartResult(result, KeptFile(f"k{count}", f"part-{count}", "x/y", 10, "sha"))


def test_losses_of_parts_add_up_and_are_said_once() -> None:
    named = Loss(LossKind.NAME, "column 'long_name' is named 'long' in the file", "long_name")
    parts = [
        part_result(5, named, lost(1_200), extent=(1.0, 2.0, 3.0, 4.0)),
        part_result(0, named),
        part_result(9, named, lost(12), lost(1, "other"), said=("GDAL said so",)),
    ]

    whole = whole_layer(parts)

    assert whole.record_count == 14
    assert whole.losses == (named, lost(1_212), lost(1, "other"))
    assert whole.warnings == (*(loss.message for loss in whole.losses), "GDAL said so")
    assert whole.extent == (0.0, 0.0, 3.0, 4.0)
    assert whole.field_crosswalk == {"long_name": "long"}


def test_what_is_noted_of_a_part_is_read_back() -> None:
    result = part_result(9, lost(12))

    assert PartResult.from_document(result.document) == result
    assert PartResult.from_document(PartResult(result.layer, None).document).file is None


@pytest.mark.parametrize(("counts", "handed_out"), [([3, 0, 4], [1, 3]), ([0, 0], [1]), ([0, 2], [2]), ([1], [1])])
def test_parts_without_features_are_not_handed_out_unless_there_is_nothing_else(
    counts: list[int], handed_out: list[int]
) -> None:
    parts = [Part("parcels", number, len(counts), 0, 0) for number in range(1, len(counts) + 1)]

    found = with_files(parts, [part_result(count) for count in counts])

    assert [part.number for part, _ in found] == handed_out
    empty = whole_layer([part_result(count) for count in counts])
    assert (EMPTY in empty.warnings) is (sum(counts) == 0)
