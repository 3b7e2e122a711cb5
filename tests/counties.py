"""Small counties for tests of domain code: tables in Parquet, and what the catalogue would say of them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from reporting.context import Context
from reporting.models import ReportRequest
from reporting.plan import plan
from terrafusion.counties import CountyConfiguration, CountySnapshot, Field, LayerKind, LayerManifest, Quality, Source
from terrafusion.counties.manifest import FieldType
from terrafusion.counties.standard import ANY_STANDARD_FIELD, type_of
from terrafusion.flatgeobuf import FlatGeobuf
from terrafusion.tables import connect

MADE = date(2026, 3, 2)


def manifest(layer: str, columns: list[str], rows: int) -> LayerManifest:
    """What the loader would say of a table."""
    fields = tuple(
        Field(name=name, type=type_of(name) if name in ANY_STANDARD_FIELD else FieldType.STRING) for name in columns
    )
    return LayerManifest(
        layer=layer,
        version="0123456789abcdef",
        kind=LayerKind.TABLE,
        geometry_type=None,
        crs=None,
        crs_wkt=None,
        bbox=None,
        native_bbox=None,
        count=rows,
        fields=fields,
        key=None,
        source=Source(name=f"{layer}.csv", layer=None, driver="CSV", sha256="0" * 64, size_bytes=1, crs=None),
        quality=Quality(read=rows, stored=rows),
        files=(),
        loader="tests",
    )


def snapshot(tables: Mapping[str, pa.Table]) -> CountySnapshot:
    """A county of these tables."""
    layers = {name: manifest(name, table.column_names, table.num_rows) for name, table in tables.items()}
    return CountySnapshot(
        county_id="tiny", version="fedcba9876543210", published_at=datetime(2026, 3, 1, tzinfo=UTC), layers=layers
    )


def context(
    folder: Path,
    tables: Mapping[str, pa.Table],
    report_type: str,
    configuration: CountyConfiguration | None = None,
    maps: Mapping[str, FlatGeobuf] | None = None,
    **parameters: Any,
) -> Context:
    """A report's context, planned as the API plans it."""
    files = {}
    for name, table in tables.items():
        files[name] = folder / f"{name}.parquet"
        pq.write_table(table, files[name])
    configuration = configuration or CountyConfiguration()
    here = snapshot(tables)
    request = ReportRequest.model_validate({"county_id": "tiny", "report_type": report_type, "parameters": parameters})
    return Context(
        plan=plan(request, here, configuration),
        snapshot=here,
        configuration=configuration,
        database=connect(files),
        maps=maps or {},
        made=MADE,
        progress=lambda _fraction, _message: None,
    )
