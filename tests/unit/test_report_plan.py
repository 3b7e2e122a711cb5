"""What is refused before a job exists, and what is filled in."""

import json
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from reporting.kinds import KINDS, OutputFormat, ReportType
from reporting.models import ReportRequest
from reporting.plan import ReportPlan, period, plan
from terrafusion.counties import CountyConfiguration, CountySnapshot, Field, FieldType
from terrafusion.errors import Impossible
from tests.conftest import ROOT
from tests.counties import snapshot

COUNTY = snapshot(
    {
        "sales": pa.table(
            {"property_id": ["1"], "sale_price": [1.0], "sale_date": ["2025-01-01"], "assessed_value": [1.0]}
        ),
        "properties": pa.table(
            {"property_id": ["1"], "current_assessed_value_total": [1.0], "property_class": ["R"], "year_built": [1990]}
        ),
    }
)


def planned(report_type: str, configuration: CountyConfiguration | None = None, **parameters: Any) -> ReportPlan:
    request = ReportRequest.model_validate({"county_id": "tiny", "report_type": report_type, "parameters": parameters})
    return plan(request, COUNTY, configuration or CountyConfiguration())


def test_defaults_are_filled_in_and_a_plan_survives_the_job_table() -> None:
    made = planned("sales_ratio_study", year=2025)

    assert made.output_format is OutputFormat.PDF
    document = json.loads(json.dumps(made.document))
    assert document["parameters"]["standard"] == "iaao"
    assert document["parameters"]["stratify"] == ["property_class", "value", "age", "year"]
    assert ReportPlan.from_document(document) == made
    assert [str(day) for day in period(made.parameters)] == ["2025-01-01", "2025-12-31"]


def test_a_county_sets_its_own_format_types_and_standard() -> None:
    own = {"title": "Ours", "source": "Ordinance 12", "cod": {"residential": 12}}
    configuration = CountyConfiguration.model_validate(
        {
            "reporting": {
                "default_export_format": "xlsx",
                "standard": "ours",
                "standards": {"ours": own},
                "standard_report_types": ["sales_ratio_study", "property_record_card"],
            }
        }
    )
    assert planned("sales_ratio_study", configuration).output_format is OutputFormat.XLSX
    assert planned("sales_ratio_study", configuration).parameters.standard == "ours"
    assert planned("property_record_card", configuration, property_id="1").output_format is OutputFormat.PDF
    with pytest.raises(Impossible, match="It offers sales_ratio_study, property_record_card"):
        planned("vertical_equity", configuration)


@pytest.mark.parametrize(
    ("report_type", "parameters", "field", "words"),
    [
        ("sales_validation", {"output_format": "pdf"}, "parameters.output_format", "comes as xlsx, html, csv, json"),
        ("property_record_card", {"output_format": "XLSX"}, "parameters.output_format", "pdf, html, json"),
        ("property_record_card", {}, "parameters.property_id", "Say which property"),
        ("property_record_card", {"property_id": "1", "year": 2025}, "parameters.year", "knows no parameter 'year'"),
        ("assessment_roll_summary", {"year": 2024}, "parameters.year", "It knows neighborhood, property"),
        ("sales_ratio_study", {"standard": "iaoa"}, "parameters.standard", "Did you mean iaao"),
        ("sales_ratio_study", {"zip_code": "99301"}, "parameters.zip_code", "no field 'zip_code'"),
        ("sales_ratio_study", {"stratify": ["neighborhood"]}, "parameters.stratify", "no field 'neighborhood'"),
        ("sales_ratio_study", {"adjust_to": "2026-01-01"}, "parameters.adjust_to", "adjust_to needs time_adjust"),
        ("vertical_equity", {"adjust_to": "2026-01-01", "time_adjust": False}, "parameters.adjust_to", "needs"),
        ("sales_ratio_study", {"adjust_to": "9999-12-31", "time_adjust": True}, "parameters.adjust_to", "to 2031-03"),
        ("value_change", {}, "county_id", "--map prior_assessed_value_total=COLUMN"),
    ],
)  # fmt: skip
def test_what_is_impossible_is_refused_with_what_would_do(
    report_type: str, parameters: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(Impossible, match=words) as refused:
        planned(report_type, **parameters)
    assert [error.field for error in refused.value.errors] == [field]


def test_a_county_without_the_table_is_told_how_to_load_it() -> None:
    parcels = snapshot({"parcels": pa.table({"property_id": ["1"]})})
    request = ReportRequest.model_validate({"county_id": "tiny", "report_type": "assessment_roll_summary"})
    with pytest.raises(Impossible, match="terrafusion load tiny properties FILE"):
        plan(request, parcels, CountyConfiguration())


def test_values_must_be_there_to_compare_with() -> None:
    bare = snapshot({"sales": pa.table({"sale_price": [1.0]})})
    for source in ("auto", "sale", "roll"):
        request = ReportRequest.model_validate(
            {"county_id": "tiny", "report_type": "sales_ratio_study", "parameters": {"value_source": source}}
        )
        with pytest.raises(Impossible, match="There is no value to compare sales with"):
            plan(request, bare, CountyConfiguration())


def test_a_field_of_another_type_is_told_how_to_become_one() -> None:
    def typed(table: str, name: str) -> CountySnapshot:
        layer = COUNTY.layers[table]
        text = Field(name=name, type=FieldType.STRING)
        fields = (*(field for field in layer.fields if field.name != name), text)
        layers = {**COUNTY.layers, table: layer.model_copy(update={"fields": fields})}
        return COUNTY.model_copy(update={"layers": layers})

    request = ReportRequest.model_validate({"county_id": "tiny", "report_type": "sales_ratio_study"})
    with pytest.raises(Impossible, match="is string, not date"):
        plan(request, typed("sales", "sale_date"), CountyConfiguration())
    plan(request, typed("properties", "stories"), CountyConfiguration())


@pytest.mark.parametrize(
    "body",
    [
        {"report_type": "sales_ratio"},
        {"report_type": "sales_ratio_study", "parameters": {"output_format": "docx"}},
        {"report_type": "sales_ratio_study", "parameters": {"year": "last"}},
        {"report_type": "sales_ratio_study", "parameters": {"colour": "red"}},
        {"report_type": "sales_ratio_study", "parameters": {"confidence": 1}},
        {"report_type": "sales_ratio_study", "parameters": {"date_from": "2025-02-01", "date_to": "2025-01-01"}},
        {"report_type": "property_record_card", "parameters": {"property_ids": []}},
    ],
)
def test_what_cannot_be_read_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ReportRequest.model_validate({"county_id": "tiny", **body})


def test_every_type_says_its_formats_and_knows_only_parameters_there_are() -> None:
    from reporting.models import ReportParameters

    assert set(KINDS) == set(ReportType)
    for kind in KINDS.values():
        assert kind.formats
        assert kind.parameters <= set(ReportParameters.model_fields)


ELSEWHERE = "scipy lightgbm sklearn pyogrio arro3 pandas geopandas pyarrow shapely pyproj statsmodels typer local cli"
HEAVY = f"numpy duckdb typst resvg_py xlsxwriter jinja2 {ELSEWHERE}"


@pytest.mark.parametrize(
    ("entry", "blocked"),
    [("api", HEAVY), ("results", HEAVY), ("closer", HEAVY), ("sweep", HEAVY), ("worker", ELSEWHERE)],
)
def test_entries_start_without_what_their_layers_do_not_have(entry: str, blocked: str) -> None:
    """`None` in `sys.modules` is how Python is told that a module is not there."""
    environment = {
        "STAGE": "test", "JOBS_TABLE": "j", "AUDIT_TABLE": "a", "DATA_BUCKET": "d", "RESULTS_BUCKET": "r",
        "WORKFLOW_ARN": "arn", "PYTHONPATH": f"{ROOT / 'shared'}:{ROOT / 'functions/reporting'}",
    }  # fmt: skip
    text = f"import sys; sys.modules.update(dict.fromkeys({blocked.split()!r})); import reporting.{entry}"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


def test_the_settings_that_the_methods_show_are_settings() -> None:
    text = (ROOT / "docs/methods/ratio-studies.md").read_text(encoding="utf-8")
    shown = text.split("```json")[1].split("```")[0]
    made = CountyConfiguration.model_validate_json(shown)
    assert made.reporting.standard in made.reporting.standards
    assert made.reporting.class_types
