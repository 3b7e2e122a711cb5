"""Exports in parts hold what one worker's export holds: every row once, with the same values and the same losses."""

import random
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import geopandas
import pyarrow.dataset
import pyarrow.parquet
import pyogrio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.publishing import publish_file
from gis_export import gdal
from gis_export.acceptance import accept
from gis_export.formats import FORMATS, ExportFormat
from gis_export.job import ExportWork
from gis_export.models import ExportRequest
from gis_export.part_job import JoinWork, PartWork
from gis_export.parts import Division, divide
from gis_export.sources import CountyFiles
from local.aws.endpoint import AwsEndpoint
from local.sample import write
from terrafusion.counties import Catalogue, CountyConfiguration, GisExportConfiguration
from terrafusion.errors import FailureReason
from terrafusion.flatgeobuf import FlatGeobuf, extract
from terrafusion.jobs.model import Job, JobStatus, now
from terrafusion.jobs.shares import Share, WorkFolder, work_on_share
from terrafusion.jobs.work import Attempt, result_of
from terrafusion.storage import Storage
from tests.integration.engines import CREDENTIALS
from tests.integration.job_world import ALIVE, World
from tests.integration.test_gis_losses import nasty

FIRST, LAST = (Attempt.of_workflow(f"2026-01-01T00:00:0{n}Z#0") for n in (1, 2))
COUNTY = "fanned"
CORNER = {"type": "bbox", "coordinates": [-119.31, 46.24, -119.28, 46.258]}
DRAWN = {
    "type": "Polygon",
    "coordinates": [[[-119.32, 46.235], [-119.28, 46.24], [-119.3, 46.266], [-119.318, 46.25], [-119.32, 46.235]]],
}


@pytest.fixture(scope="module")
def s3(endpoint: AwsEndpoint) -> Iterator[None]:
    """GDAL reads from the engines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", CREDENTIALS.access_key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", CREDENTIALS.secret_key)
        gdal.load().configure_s3(endpoint.url, "us-west-2")
        yield


@pytest.fixture(scope="module")
def files(s3: None, data: Storage, tmp_path_factory: pytest.TempPathFactory) -> CountyFiles:
    """A county: generated parcels without values, its properties, and a layer with every wart."""
    folder = tmp_path_factory.mktemp("county")
    sample = write(folder, parcels=1_500)
    parcels = geopandas.read_file(sample.geopackage, layer="parcels")
    bare = parcels.drop(columns=[name for name in parcels if "assessed" in name or name.startswith("last_sale")])
    bare.to_file(folder / "bare.gpkg", layer="parcels")
    nasty().to_file(folder / "nasty.gpkg", layer="nasty")
    catalogue = Catalogue(data)
    publish_file(catalogue, COUNTY, "parcels", folder / "bare.gpkg", key="property_id")
    publish_file(catalogue, COUNTY, "nasty", folder / "nasty.gpkg", key="number")
    publish_file(catalogue, COUNTY, "zoning", sample.geopackage, source_layer="zoning")
    publish_file(catalogue, COUNTY, "properties", folder / "properties.csv", key="property_id")
    return CountyFiles(catalogue, data)


@pytest.fixture
def world(endpoint: AwsEndpoint, results: Storage, data: Storage) -> World:
    return World(endpoint, results.bucket, data)


class Exporter:
    """Does a county's jobs as the workflow would."""

    def __init__(
        self, world: World, files: CountyFiles, settings: GisExportConfiguration, county: str = COUNTY
    ) -> None:
        self.world = world
        self.files = files
        self.county = county
        self.configuration = CountyConfiguration(gis_export=settings)
        files.catalogue.configure(county, self.configuration)

    def submitted(self, export_format: ExportFormat, roles: tuple[str, ...] = (), **more: Any) -> Job:
        request = ExportRequest.model_validate(
            {"county_id": self.county, "export_format": export_format, "layers": ["parcels"], **more}
        )
        snapshot, moment, since = self.files.catalogue.current(self.county), now(), request.parameters.since
        older = self.files.catalogue.snapshot(self.county, since) if since else None
        plan = accept(request, snapshot, self.configuration, roles, older)
        job = Job(
            job_id=str(uuid.uuid4()),
            plugin=self.world.plugin.slug,
            county_id=self.county,
            status=JobStatus.PENDING,
            message="",
            parameters=plan.document,
            decided=plan.decided,
            requested_by="ada",
            dataset_version=snapshot.version,
            created_at=moment,
            updated_at=moment,
        )
        self.world.store.create(job)
        return job

    def begun(self, job: Job, attempt: Attempt = FIRST) -> JobStatus | Division:
        work = ExportWork(self.files, self.world.results, self.world.audit, 7)
        return self.world.worker.run_or_begin(job.job_id, attempt, ALIVE, work)

    def divided(self, job: Job) -> Division:
        """Begin a job that comes in parts."""
        division = self.begun(job)
        assert isinstance(division, Division)
        return division

    def part(self, job: Job, division: Division, number: int, token: str = "first") -> Any:
        share = Share(number, len(division.parts), FIRST.token)
        work = PartWork(self.files, self.world.results, number, token)
        return work_on_share(self.world.worker, job.job_id, share, ALIVE, work)

    def joined(self, job: Job) -> JobStatus:
        work = JoinWork(self.files, self.world.results, self.world.audit, 7)
        return self.world.worker.run(job.job_id, LAST, ALIVE, work, goes_on=True)

    def done(self, job: Job) -> dict[str, Any]:
        """Do a job to its end, its parts in any order, and give its result."""
        division = self.begun(job)
        if isinstance(division, Division):
            for number in random.Random(1).sample(range(len(division.parts)), len(division.parts)):
                assert self.part(job, division, number) is not None
            self.joined(job)
        last = self.world.store.get(job.job_id)
        assert last.status is JobStatus.COMPLETED, last.message
        return dict(result_of(last, self.world.results) or {})

    def fetched(self, document: dict[str, Any], folder: Path) -> list[Path]:
        folder.mkdir()
        paths = []
        for file in document["files"]:
            path = folder / file["name"]
            self.world.results.download(file["key"], path)
            if path.name != "manifest.json":
                paths.append(path)
        return paths

    def both(self, folder: Path, export_format: ExportFormat, each: int, **more: Any) -> tuple[Any, Any, Any, Any]:
        """The documents and files of an export as one, and in parts of `each` features at most."""
        parameters = more.pop("parameters", {})
        one = self.done(self.submitted(export_format, parameters=parameters, **more))
        many = self.done(self.submitted(export_format, parameters={**parameters, "features_per_part": each}, **more))
        return one, self.fetched(one, folder / "one"), many, self.fetched(many, folder / "many")


@pytest.fixture
def exporter(world: World, files: CountyFiles) -> Exporter:
    return Exporter(world, files, GisExportConfiguration(redacted_fields={"*": ("situs_address_full",)}))


def inside(path: Path) -> str:
    """What GDAL opens of a file."""
    if path.suffix != ".zip":
        return str(path)
    names = zipfile.ZipFile(path).namelist()
    inner = next((n.split("/")[0] for n in names if ".gdb/" in n), None)
    endings = (".shp", ".tab", ".gml", ".gpkg", ".fgb", ".parquet", ".csv")
    return f"/vsizip/{path}/{inner or next(n for n in names if n.endswith(endings) and n != 'fields.csv')}"


def rows(paths: list[Path]) -> list[str]:
    """Every row of some files, its values and its geometry, as text that can be put in order."""
    found: list[Any] = []
    for path in paths:
        if path.suffix == ".parquet":
            found += pyarrow.parquet.read_table(path).to_pylist()
        elif path.stat().st_size:
            found += pyogrio.raw.read_arrow(inside(path))[1].to_pylist()
    for row in found:
        for name in ("gml_id", "id", "EntityHandle", "ogc_fid"):  # running numbers of the file's own
            row.pop(name, None)
    return sorted(repr(sorted(row.items())) for row in found)


def told(document: dict[str, Any]) -> list[dict[str, Any]]:
    """What a result says of its layers, losses in any order."""
    return [
        {**layer, "losses": sorted(map(repr, layer["losses"])), "warnings": sorted(layer["warnings"])}
        for layer in document["result"]["layers"]
    ]


@pytest.mark.parametrize("export_format", ExportFormat)
def test_every_format_holds_the_same_rows_and_tells_the_same_losses(
    exporter: Exporter, tmp_path: Path, export_format: ExportFormat
) -> None:
    one, single, many, parts = exporter.both(tmp_path, export_format, 100, layers=["nasty"])

    assert len(single) == 1
    assert len(parts) == 4
    assert rows(parts) == rows(single)
    for mine, theirs in zip(told(many), told(one), strict=True):
        extents = [layer.pop("extent") for layer in (mine, theirs)]
        assert mine == theirs
        assert extents[0] is None or extents[0] == pytest.approx(extents[1], abs=1e-5)
    assert many["result"]["result_record_count"] == 400


FOUR = (ExportFormat.GPKG, ExportFormat.SHAPEFILE, ExportFormat.FLATGEOBUF, ExportFormat.CSV)
CASES: dict[str, dict[str, Any]] = {
    "whole": {},
    "area": {"area_of_interest": CORNER},
    "area and filter": {"area_of_interest": DRAWN, "parameters": {"filter": "year_built >= 1960"}},
    "filter": {"parameters": {"filter": "property_class = 'residential'"}},
    "within": {"area_of_interest": DRAWN, "parameters": {"spatial_predicate": "within"}},
    "clip": {"area_of_interest": DRAWN, "parameters": {"clip": True}},
    "joined and redacted": {
        "area_of_interest": CORNER,
        "parameters": {"include_assessment_data": True, "coordinate_system": "EPSG:32149"},
    },
    "rounded": {"parameters": {"precision": 5, "make_valid": True, "attributes": ["property_id"]}},
    "bundle": {"area_of_interest": CORNER, "parameters": {"bundle": True}},
}


PAIRS = [
    (case, export_format)
    for number, case in enumerate(CASES)
    for export_format in (ExportFormat.GEOPARQUET, FOUR[number % len(FOUR)])
]
"""Every selection in the format whose parts must be alike, and in one more."""


@pytest.mark.parametrize(("case", "export_format"), PAIRS)
def test_every_selection_has_the_same_rows_in_parts(
    exporter: Exporter, tmp_path: Path, case: str, export_format: ExportFormat
) -> None:
    one, single, many, parts = exporter.both(tmp_path, export_format, 170, **CASES[case])

    assert len(parts) > 1
    if case == "bundle":
        assert all({"manifest.json", "README.txt", "fields.csv"} <= set(zipfile.ZipFile(p).namelist()) for p in parts)
        single, parts = ([unpacked(path) for path in paths] for paths in (single, parts))
    found = rows(parts)
    assert found == rows(single)
    assert len(found) == one["result"]["result_record_count"] == many["result"]["result_record_count"] > 0
    assert "situs_address_full" not in found[0]
    if case == "joined and redacted":
        assert "current_assessed_value_total" in found[0] or "current_as" in found[0]
        if export_format is ExportFormat.GEOPARQUET:
            types = {str(pyarrow.parquet.read_schema(path).field("last_sale_date").type) for path in (*single, *parts)}
            assert types == {"date32[day]"}
    documents = many["result"]["manifest"]["parts"]
    assert sum(part["record_count"] for part in documents) == len(found)
    assert [part["file"] for part in documents if part["file"]] == [path.name for path in parts] or case == "bundle"


def unpacked(path: Path) -> Path:
    """The data of a bundle."""
    with zipfile.ZipFile(path) as archive:
        ours = [n for n in archive.namelist() if n.split(".")[0] == path.name.split(".")[0]]
        if len(ours) > 1:
            return path
        archive.extract(ours[0], path.parent)
        return path.parent / ours[0]


def test_parts_of_parquet_and_flatgeobuf_open_as_one_data_set(exporter: Exporter, tmp_path: Path) -> None:
    for export_format in (ExportFormat.GEOPARQUET, ExportFormat.FLATGEOBUF):
        document = exporter.done(
            exporter.submitted(export_format, layers=["nasty"], parameters={"features_per_part": 100})
        )
        folder = tmp_path / export_format.value
        paths = exporter.fetched(document, folder)
        (folder / "manifest.json").unlink()
        assert len(paths) == 4
        if export_format is ExportFormat.FLATGEOBUF:
            frames = [geopandas.read_file(path) for path in sorted(folder.glob("*.fgb"))]
            assert sorted(n for frame in frames for n in frame["number"]) == list(range(400))
            assert [str(name) for name, _ in pyogrio.list_layers(folder)] == ["nasty"] * 4
            continue
        data_set = pyarrow.dataset.dataset(folder, format="parquet")
        assert data_set.count_rows() == 400
        assert len({str(pyarrow.parquet.read_schema(path).remove_metadata()) for path in paths}) == 1, (
            "parts are of one schema"
        )
        assert sorted(geopandas.read_parquet(folder)["number"]) == list(range(400))
        query = f"SELECT count(DISTINCT number), min(moment) FROM '{folder}/*.parquet'"
        assert duckdb.sql(query).fetchall()[0][0] == 400


def test_a_part_made_twice_or_late_is_one_part(exporter: Exporter, tmp_path: Path) -> None:
    job = exporter.submitted(ExportFormat.GPKG, parameters={"features_per_part": 400})
    division = exporter.divided(job)
    for number in range(4):
        made = exporter.part(job, division, number, "first")
        again = exporter.part(job, division, number, "again")
        assert again == made
    assert exporter.joined(job) is JobStatus.COMPLETED
    document = result_of(exporter.world.store.get(job.job_id), exporter.world.results) or {}

    paths = exporter.fetched(document, tmp_path / "made")

    assert sum(len(pyogrio.read_dataframe(path)) for path in paths) == 1_500
    assert all("/first/" in file["key"] for file in document["files"][1:])
    assert exporter.part(job, division, 2, "late") is None


def test_of_two_that_make_a_part_at_once_the_first_to_note_it_counts(
    exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = exporter.submitted(ExportFormat.GPKG, parameters={"features_per_part": 400})
    division = exporter.divided(job)
    slow = PartWork(exporter.files, exporter.world.results, 1, "slow")
    make = PartWork._made
    winner: list[Any] = []

    def overtaken(self: PartWork, *given: Any) -> Any:
        made = make(self, *given)
        if self.token == "slow":
            winner.append(exporter.part(job, division, 1, "fast"))
        return made

    monkeypatch.setattr(PartWork, "_made", overtaken)

    found = work_on_share(exporter.world.worker, job.job_id, Share(1, 4, FIRST.token), ALIVE, slow)

    assert found == winner[0]
    assert "/fast/" in found.file.key
    prefix = WorkFolder(exporter.world.results, job).key("00001/")
    assert list(exporter.world.results.folders(prefix)) == ["fast"], "the slower one's file is gone"


def test_a_step_that_begins_again_finds_the_same_parts(exporter: Exporter) -> None:
    job = exporter.submitted(ExportFormat.GPKG, parameters={"features_per_part": 400})
    division = exporter.begun(job)
    exporter.configuration = CountyConfiguration(gis_export=GisExportConfiguration(max_features_per_worker=100))
    exporter.files.catalogue.configure(COUNTY, exporter.configuration)

    again = exporter.begun(job, Attempt.of_workflow("2026-01-01T00:00:01Z#1"))

    assert again == division


def test_a_part_that_cannot_be_made_fails_the_job_and_leaves_no_result(
    exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = exporter.submitted(ExportFormat.GPKG, parameters={"features_per_part": 400})
    division = exporter.divided(job)
    assert exporter.part(job, division, 0) is not None

    with monkeypatch.context() as patch:
        patch.setattr("gis_export.task.export", broken_export)
        assert exporter.part(job, division, 1) is None
    assert exporter.part(job, division, 2) is None, "nobody works for a job that is over"
    assert exporter.joined(job) is JobStatus.FAILED

    last = exporter.world.store.get(job.job_id)
    assert (last.failure_reason, last.message) == (FailureReason.ENGINE_ERROR, "the disk is full")
    assert result_of(last, exporter.world.results) is None


def broken_export(*_: Any, **__: Any) -> Any:
    raise gdal.EngineError("the disk is full")


def test_of_several_layers_one_that_fails_does_not_take_the_others_with_it(
    exporter: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = {"features_per_part": 400}
    job = exporter.submitted(ExportFormat.GPKG, layers=["parcels", "zoning"], parameters=parameters)
    division = exporter.divided(job)
    assert [part.layer for part in division.parts] == ["parcels"] * 4 + ["zoning"]
    for number in range(5):
        with monkeypatch.context() as patch:
            if number == 2:
                patch.setattr("gis_export.task.export", broken_export)
            assert exporter.part(job, division, number) is not None
    assert exporter.joined(job) is JobStatus.COMPLETED

    document = result_of(exporter.world.store.get(job.job_id), exporter.world.results) or {}

    layers = {layer["name"]: layer for layer in document["result"]["layers"]}
    assert (layers["parcels"]["status"], layers["parcels"]["error"]) == ("FAILED", "the disk is full")
    assert layers["zoning"]["status"] == "COMPLETED"
    (path,) = exporter.fetched(document, tmp_path / "made")
    assert len(pyogrio.read_dataframe(path)) == layers["zoning"]["record_count"] > 0


def test_parts_without_features_have_no_file_unless_all_are(exporter: Exporter, tmp_path: Path) -> None:
    few = {"filter": "property_id IN ('{}')".format("','".join(some_keys(exporter, tmp_path)))}
    _, _, many, parts = exporter.both(tmp_path, ExportFormat.GPKG, 400, parameters=few)
    assert 1 <= len(parts) < 4
    assert sum(len(pyogrio.read_dataframe(path)) for path in parts) == 2
    assert [p["record_count"] for p in many["result"]["manifest"]["parts"] if not p["file"]] == [0] * (4 - len(parts))

    none = {"filter": "year_built = 1", "features_per_part": 400}
    empty = exporter.done(exporter.submitted(ExportFormat.GPKG, parameters=none))
    (path,) = exporter.fetched(empty, tmp_path / "none")
    assert len(pyogrio.read_dataframe(path)) == 0
    assert empty["result"]["layers"][0]["warnings"][-1:] or empty["result"]["layers"][0]["record_count"] == 0


def some_keys(exporter: Exporter, tmp_path: Path) -> list[str]:
    whole = exporter.done(exporter.submitted(ExportFormat.GPKG))
    (path,) = exporter.fetched(whole, tmp_path / "whole")
    return list(pyogrio.read_dataframe(path)["property_id"][:2])


def test_what_fits_into_one_part_is_one_file(exporter: Exporter) -> None:
    job = exporter.submitted(ExportFormat.GPKG, area_of_interest=CORNER, parameters={"features_per_part": 1_500})

    assert exporter.begun(job) is JobStatus.COMPLETED

    document = result_of(exporter.world.store.get(job.job_id), exporter.world.results) or {}
    assert [file["name"].rsplit(".", 1)[1] for file in document["files"]] == ["gpkg", "json"]


def test_more_than_one_worker_takes_comes_in_parts_by_itself(world: World, files: CountyFiles, tmp_path: Path) -> None:
    exporter = Exporter(world, files, GisExportConfiguration(max_features_per_worker=500))

    document = exporter.done(exporter.submitted(ExportFormat.GEOPARQUET))

    parts = exporter.fetched(document, tmp_path / "made")
    assert len(parts) == 3
    assert sum(len(pyarrow.parquet.read_table(path)) for path in parts) == 1_500


def test_what_is_too_much_as_a_whole_fails_though_each_part_would_do(world: World, files: CountyFiles) -> None:
    exporter = Exporter(world, files, GisExportConfiguration(max_result_bytes=600_000))
    job = exporter.submitted(ExportFormat.GPKG, parameters={"features_per_part": 400})
    division = exporter.divided(job)
    for number in range(4):
        assert exporter.part(job, division, number) is not None

    assert exporter.joined(job) is JobStatus.FAILED

    last = exporter.world.store.get(job.job_id)
    assert last.failure_reason == FailureReason.EXPORT_TOO_LARGE
    assert "limit is 600,000" in last.message


def test_a_shapefile_that_would_pass_its_limit_is_split_when_parts_are_asked_for(
    exporter: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is lowered: 2 GB are 2,000,000 rows of a kilobyte."""
    lower = replace(FORMATS[ExportFormat.SHAPEFILE], max_bytes=200_000)
    monkeypatch.setattr("gis_export.limits.FORMATS", {**FORMATS, ExportFormat.SHAPEFILE: lower})
    monkeypatch.setattr("gis_export.capacity.FORMATS", {**FORMATS, ExportFormat.SHAPEFILE: lower})
    with pytest.raises(Exception, match=r"holds 200,000; .* by features_per_part of at most [\d,]+"):
        exporter.submitted(ExportFormat.SHAPEFILE, layers=["nasty", "parcels"])

    asked = {"features_per_part": 5_000}
    document = exporter.done(exporter.submitted(ExportFormat.SHAPEFILE, layers=["nasty", "parcels"], parameters=asked))

    parts = exporter.fetched(document, tmp_path / "made")
    tables = [
        entry.file_size
        for path in parts
        for entry in zipfile.ZipFile(path).infolist()
        if entry.filename.endswith((".dbf", ".shp"))
    ]
    assert len(parts) > 2
    assert max(tables) < 200_000
    assert document["result"]["result_record_count"] == 1_900


@settings(max_examples=60, deadline=None)
@given(
    corner=st.tuples(st.floats(-0.2, 1), st.floats(-0.2, 1)),
    sides=st.tuples(st.floats(0.001, 1), st.floats(0.001, 1)),
    each=st.integers(1, 400),
    most=st.sampled_from([1, 10, 200_000]),
)
def test_the_parts_of_any_area_hold_all_that_is_near_it_once(
    squares: Path, corner: tuple[float, float], sides: tuple[float, float], each: int, most: int
) -> None:
    """Also where the index is read but in part, so that whole nodes stand for what is in them."""
    frame = pyogrio.read_dataframe(squares)
    west, south, east, north = frame.total_bounds
    left, bottom = west + corner[0] * (east - west), south + corner[1] * (north - south)
    box = (left, bottom, left + sides[0] * (east - west), bottom + sides[1] * (north - south))
    file, size, made = FlatGeobuf.open(squares), squares.stat().st_size, squares.with_name("part.fgb")

    parts = divide("squares", file.spans(box, most), each)
    held: list[int] = []
    for part in parts:
        count = extract(file, size, (part.first, part.end), box, made)
        held += list(pyogrio.read_dataframe(made)["number"]) if count else []
        assert count <= each

    assert sorted(held) == sorted(frame.cx[box[0] : box[2], box[1] : box[3]]["number"])


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("squares") / "squares.fgb"
    pyogrio.write_dataframe(nasty()[["number", "geometry"]], path, driver="FlatGeobuf", SPATIAL_INDEX="YES")
    return path
