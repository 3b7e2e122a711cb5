"""200 tries to get SQL, a path or an address past the request: none gets further than a refusal, or is mere text."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from gis_export.acceptance import accept
from gis_export.models import ExportRequest
from gis_export.where import where
from terrafusion.counties import (
    CountyConfiguration,
    CountySnapshot,
    Field,
    FieldType,
    FileEntry,
    LayerKind,
    LayerManifest,
    Quality,
    Source,
)
from terrafusion.errors import Impossible
from terrafusion.filters import check

FIELDS = (
    Field(name="property_id", type=FieldType.STRING, width=15),
    Field(name="year_built", type=FieldType.INTEGER),
    Field(name="owner_name", type=FieldType.STRING, width=40),
)
SNIPPETS = [
    "' OR '1'='1",
    "' OR 1=1 --",
    "'; DROP TABLE parcels; --",
    "1; DELETE FROM parcels",
    "x' UNION SELECT * FROM other --",
    "\\' OR 1=1 --",
    "\\",
    "a\\'",
    "'' OR ''=''",
    '" OR ""="',
    '"parcels"."owner_name"',
    "%27%20OR%201=1",
    "/*",
    "*/ OR 1=1 /*",
    "/vsicurl/http://169.254.169.254/latest/meta-data/",
    "/vsis3/other-county/parcels.fgb",
    "/etc/passwd",
    "../../other/parcels",
    "..\\..\\other",
    "file:///etc/passwd",
    "http://example.com/x.fgb",
    "parcels; ATTACH 'x.db'",
    "<OGRVRTDataSource></OGRVRTDataSource>",
    "</SrcSQL><SrcDataSource>/etc/passwd</SrcDataSource>",
    "]]>",
    "&amp;",
    "parcels\0.fgb",
    "parcels\n-sql\nSELECT 1",
    "-sql SELECT",
    "${jndi:ldap://x}",
    "{{7*7}}",
    "$(id)",
    "`id`",
    "load_extension('x')",
    "CAST(property_id AS integer)",
    "pg_sleep(10)",
    "FID",
    "OGR_STYLE",
    "property_id' LIKE '%",
    "ogr_layer_Extent(1)",
]


def snapshot() -> CountySnapshot:
    layer = LayerManifest(
        layer="parcels",
        version="v",
        kind=LayerKind.FEATURES,
        geometry_type="MultiPolygon",
        crs="EPSG:2927",
        crs_wkt=None,
        bbox=(-119.4, 46.2, -119.2, 46.3),
        native_bbox=None,
        count=10,
        fields=FIELDS,
        key="property_id",
        source=Source(name="x.gpkg", layer=None, driver="GPKG", sha256="0", size_bytes=1, crs="EPSG:2927"),
        quality=Quality(read=10, stored=10),
        files=(FileEntry(name="data.fgb", size_bytes=1, sha256="0"),),
        loader="1",
    )
    return CountySnapshot(
        county_id="sample", version="v", published_at=datetime(2026, 1, 1, tzinfo=UTC), layers={"parcels": layer}
    )


def places(text: str) -> list[dict[str, Any]]:
    """The text in each place of a request that is a name or a condition."""
    base = {"county_id": "sample", "export_format": "GPKG", "layers": ["parcels"]}
    return [
        {**base, "parameters": {"filter": text}},
        {**base, "parameters": {"filter": f"property_id = '{text}'"}},
        {**base, "parameters": {"filter": {"op": "=", "args": [{"property": text}, "x"]}}},
        {**base, "parameters": {"attributes": [text]}},
        {**base, "layers": [text]},
    ]


TRIES = [request for text in SNIPPETS for request in places(text)]


def test_there_are_two_hundred() -> None:
    assert len(TRIES) >= 200


@pytest.mark.parametrize("document", TRIES, ids=lambda d: json.dumps(d)[48:90])
def test_a_try_is_refused_or_stays_one_literal(document: dict[str, Any]) -> None:
    try:
        plan = accept(ExportRequest.model_validate(document), snapshot(), CountyConfiguration())
    except (Impossible, ValidationError):
        return
    assert plan.layers == ("parcels",)
    for tree in plan.filters.values():
        sql = where(check(tree, FIELDS))
        assert outside_of_quotes(sql).replace(" ", "") in {'("property_id"LIKEESCAPE)', '("property_id"=)'}


@pytest.mark.parametrize("text", SNIPPETS)
def test_json_brings_any_text_as_a_value_alone(text: str) -> None:
    value = {"op": "=", "args": [{"property": "property_id"}, text]}
    document = {"county_id": "sample", "export_format": "GPKG", "layers": ["parcels"], "parameters": {"filter": value}}
    try:
        plan = accept(ExportRequest.model_validate(document), snapshot(), CountyConfiguration())
    except Impossible:
        assert "\\" in text or any(ord(c) < 32 for c in text)
        return
    sql = where(check(plan.filters["parcels"], FIELDS))
    assert outside_of_quotes(sql).replace(" ", "") == '("property_id"LIKEESCAPE)'


def outside_of_quotes(sql: str) -> str:
    """What GDAL's lexer sees as SQL: in single quotes, a doubled quote and one after a backslash are text."""
    outside, inside, position = "", False, 0
    while position < len(sql):
        pair = sql[position : position + 2]
        if inside and pair in {"''", "\\'"}:
            position += 2
            continue
        if sql[position] == "'":
            inside = not inside
        elif not inside:
            outside += sql[position]
        position += 1
    assert not inside
    return outside
