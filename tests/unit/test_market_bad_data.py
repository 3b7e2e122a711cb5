"""Whatever a county's tables hold, an analysis answers clearly: a result in plain JSON, or a failure that says why."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market_analysis.analysis_types import AnalysisType
from market_analysis.captions import Caption
from market_analysis.job import write_files
from terrafusion.errors import FailureReason, JobFailure
from tests.unit.market_tables import answer, plan_of, tables_of

ASKED: dict[AnalysisType, dict[str, Any]] = {
    AnalysisType.COMPARABLE_MARKET_AREA: {"neighborhood": "A"},
    AnalysisType.MARKET_VALUATION: {"subject": {"living_area_sqft": 1_500, "lon": -119.2, "lat": 46.2}},
    AnalysisType.NEIGHBORHOOD_SUMMARY: {"group_by": "neighborhood"},
    AnalysisType.SALES_VELOCITY: {"group_by": "neighborhood"},
    AnalysisType.HOTSPOTS: {"permutations": 99, "neighbors": 3},
}


def town(count: int = 240, **changes: list[Any]) -> dict[str, dict[str, list[Any]]]:
    """Houses in four neighborhoods, each sold once or twice over two years."""
    properties = {
        "property_id": [f"P{at}" for at in range(count)],
        "zip_code": [("99336", "99337")[at % 2] for at in range(count)],
        "neighborhood": ["ABCD"[at % 4] for at in range(count)],
        "property_class": ["residential"] * count,
        "living_area_sqft": [1_200.0 + 7 * (at % 90) for at in range(count)],
        "land_area_sqft": [7_000.0 + 31 * (at % 50) for at in range(count)],
        "year_built": [1950 + at % 60 for at in range(count)],
        "current_assessed_value_total": [250_000.0 + 900 * (at % 37) for at in range(count)],
        "lon": [-119.3 + 0.001 * (at % 20) for at in range(count)],
        "lat": [46.2 + 0.001 * (at // 20) for at in range(count)],
    }
    times = count + count // 3
    sales = {
        "sale_id": [f"S{at}" for at in range(times)],
        "property_id": [f"P{at % count}" for at in range(times)],
        "sale_date": [date(2023, 1, 3) + timedelta(days=(at * 37) % 700) for at in range(times)],
        "sale_price": [240_000.0 + 1_300 * ((at * 7) % 83) for at in range(times)],
        "is_valid": [True] * times,
        "assessed_value": [None] * times,
    }
    return {"properties": properties | _of(changes, properties), "sales": sales | _of(changes, sales)}


def _of(changes: dict[str, list[Any]], table: dict[str, list[Any]]) -> dict[str, list[Any]]:
    return {name: values for name, values in changes.items() if name in table and len(values) == len(table[name])}


def failure(tmp_path: Path, kind: AnalysisType, tables: dict[str, Any], **parameters: Any) -> JobFailure:
    with pytest.raises(JobFailure) as caught:
        answer(tables_of(tmp_path, **tables), kind, **{**ASKED.get(kind, {}), **parameters})
    return caught.value


@pytest.mark.parametrize("kind", AnalysisType)
def test_a_small_town_is_answered_with_pictures_and_files(tmp_path: Path, kind: AnalysisType) -> None:
    parameters = ASKED.get(kind, {})
    market, analysis, result = answer(tables_of(tmp_path, **town()), kind, **parameters)
    json.dumps(result, allow_nan=False)
    summary = result["result_summary"]
    assert any(letter.isdigit() for letter in summary["key_finding"])
    assert summary["data_points_analyzed"] > 0
    assert {"period", "average_price", "median_price", "sales_volume"} <= set(result["trends"][0])
    made = write_files(
        market.database, plan_of(kind, **parameters), analysis, None, Caption("Town", "n"), tmp_path, "t"
    )
    suffixes = [file.path.suffix for file in made]
    assert suffixes[:2] == [".parquet", ".csv"]
    assert {".svg", ".png"} <= set(suffixes)
    assert len({file.name for file in made}) == len(made)


@pytest.mark.parametrize("kind", AnalysisType)
def test_no_sales_in_range_is_said_with_the_range_there_is(tmp_path: Path, kind: AnalysisType) -> None:
    found = failure(tmp_path, kind, town(), date_from="1999-01-01", date_to="1999-12-31")
    assert found.reason is FailureReason.INSUFFICIENT_SALES
    assert "from 1999-01-01 to 1999-12-31" in found.message
    assert "run from 2023-01-03 to 2024-1" in found.message


@pytest.mark.parametrize("kind", AnalysisType)
def test_no_valid_sale_at_all(tmp_path: Path, kind: AnalysisType) -> None:
    found = failure(tmp_path, kind, town(is_valid=[False] * 320))
    assert found.reason is FailureReason.INSUFFICIENT_SALES
    assert "no valid sale with a date and a price" in found.message


@pytest.mark.parametrize("kind", AnalysisType)
def test_an_unknown_class_names_those_that_are_near(tmp_path: Path, kind: AnalysisType) -> None:
    found = failure(tmp_path, kind, town(), property_class="residental")
    assert found.reason is FailureReason.INSUFFICIENT_DATA
    assert found.message == "No property has the property_class 'residental'. Did you mean residential?"


def test_an_unknown_zip_code_names_those_that_are_near(tmp_path: Path) -> None:
    found = failure(tmp_path, AnalysisType.PRICE_TREND_BY_ZIP, town(), zip_code="99338")
    assert "Did you mean 99337 or 99336?" in found.message


def test_an_unknown_area_to_compare(tmp_path: Path) -> None:
    found = failure(tmp_path, AnalysisType.COMPARABLE_MARKET_AREA, town(), neighborhood="Z")
    assert found.message == "No property has the neighborhood 'Z'. There are: A, B, C, D."


def test_no_area_within_the_radius_says_how_far_the_nearest_is(tmp_path: Path) -> None:
    found = failure(tmp_path, AnalysisType.COMPARABLE_MARKET_AREA, town(), radius_miles=0.001)
    assert "No area with 5 sales lies within 0.001 miles of A; the nearest is" in found.message


@pytest.mark.parametrize("kind", [AnalysisType.TIME_ADJUSTMENT, AnalysisType.MARKET_VALUATION])
def test_a_valuation_date_that_no_trend_reaches(tmp_path: Path, kind: AnalysisType) -> None:
    found = failure(tmp_path, kind, town(), valuation_date="9999-12-31")
    assert found.reason is FailureReason.INSUFFICIENT_DATA
    assert "lies more than 5 years from the sales looked at, 2023-01-03 to 2024-1" in found.message


@pytest.mark.parametrize("kind", AnalysisType)
def test_a_sale_that_is_dated_in_the_future_changes_nothing_but_the_count(tmp_path: Path, kind: AnalysisType) -> None:
    tables, later = town(), town()
    for name, value in {"sale_id": "late", "sale_date": date(2099, 5, 5), "sale_price": 200_000.0}.items():
        later["sales"][name] = [*later["sales"][name], value]
    later["sales"] |= {
        "property_id": [*later["sales"]["property_id"], "P0"],
        "is_valid": [*later["sales"]["is_valid"], True],
        "assessed_value": [*later["sales"]["assessed_value"], None],
    }
    (tmp_path / "a").mkdir()
    asked = {"years": 3, "published": date(2025, 1, 1), **ASKED.get(kind, {})}
    _, _, plain = answer(tables_of(tmp_path / "a", **tables), kind, **asked)
    _, _, made = answer(tables_of(tmp_path, **later), kind, **asked)

    assert {"reason": "dated after the data were published", "sales": 1} in made["left_out"]
    for changed in ("sales_considered", "left_out", "notes"):
        plain.pop(changed), made.pop(changed)
    assert made == plain


@pytest.mark.parametrize("kind", AnalysisType)
def test_columns_that_were_loaded_as_text_are_read(tmp_path: Path, kind: AnalysisType) -> None:
    """A county whose loader took numbers, dates and flags for text; what is none of them is missing, not an error."""
    typed, texts = town(), town()
    texts["sales"] |= {
        "sale_date": [one.isoformat() for one in typed["sales"]["sale_date"]],
        "sale_price": [*map(str, typed["sales"]["sale_price"][:-1]), "a lot"],
        "is_valid": ["yes"] * len(typed["sales"]["is_valid"]),
    }
    texts["properties"] |= {
        name: [*map(str, typed["properties"][name][:-1]), "n/a"]
        for name in ("living_area_sqft", "land_area_sqft", "year_built", "current_assessed_value_total", "lon", "lat")
    }
    typed["sales"]["sale_price"][-1] = None
    for name in ("living_area_sqft", "land_area_sqft", "year_built", "current_assessed_value_total", "lon", "lat"):
        typed["properties"][name][-1] = None
    (tmp_path / "typed").mkdir()
    _, _, plain = answer(tables_of(tmp_path / "typed", **typed), kind, **ASKED.get(kind, {}))
    _, _, made = answer(tables_of(tmp_path, **texts), kind, **ASKED.get(kind, {}))

    assert made == plain


def test_a_mark_of_validity_that_nobody_can_read_is_not_taken_for_valid(tmp_path: Path) -> None:
    marks = ["Q", "U", None, "", "true", "perhaps"] * 60
    sales = town()["sales"] | {"is_valid": marks[: len(town()["sales"]["is_valid"])]}
    _, _, made = answer(tables_of(tmp_path, sales=sales), AnalysisType.PRICE_TREND_BY_ZIP, group_by="county")

    doubtful = sum(one in {"U", "perhaps"} for one in sales["is_valid"])
    assert made["left_out"] == [{"reason": "marked as not valid", "sales": doubtful}]


def test_sales_of_properties_that_are_not_there_are_counted(tmp_path: Path) -> None:
    tables = town(property_id=[f"X{at}" for at in range(240)])
    _, _, result = answer(tables_of(tmp_path, **tables), AnalysisType.PRICE_TREND_BY_ZIP, group_by="county")
    assert "320 sales are of no property in the county's table: nothing is known of what was sold." in result["notes"]
    assert "tell too little of what was sold" in failure(tmp_path, AnalysisType.HEDONIC_INDEX, tables).message


def test_areas_that_nobody_names_cannot_be_summarized(tmp_path: Path) -> None:
    found = failure(tmp_path, AnalysisType.NEIGHBORHOOD_SUMMARY, town(neighborhood=[""] * 240))
    assert found.reason is FailureReason.INSUFFICIENT_DATA
    assert "names its neighborhood. Load that column, or group by zip_code." in found.message


def test_a_property_that_is_not_there(tmp_path: Path) -> None:
    found = failure(tmp_path, AnalysisType.MARKET_VALUATION, town(), property_id="P9999", subject=None)
    assert found.reason is FailureReason.PROPERTY_NOT_FOUND


def test_one_sale_a_period_is_thin_and_has_no_changes(tmp_path: Path) -> None:
    tables = town(12, sale_date=[date(2023, 1 + at % 12, 9) for at in range(16)])
    tables["sales"] = {name: values[:12] for name, values in tables["sales"].items()}
    _, _, result = answer(tables_of(tmp_path, **tables), AnalysisType.PRICE_TREND_BY_ZIP, min_sales=7)
    assert all(row["thin"] and row["change_percent"] is None for row in result["trends"])
    assert all(row["median_low"] is None for row in result["trends"])
    assert "too few sales to tell a change" in result["result_summary"]["key_finding"]
    with pytest.raises(JobFailure, match="needs at least 15 sales; 12 are left"):
        answer(tables_of(tmp_path, **tables), AnalysisType.HEDONIC_INDEX)


def test_one_period_alone(tmp_path: Path) -> None:
    tables = town(sale_date=[date(2023, 5, 1 + at % 28) for at in range(320)])
    _, _, result = answer(tables_of(tmp_path, **tables), AnalysisType.HEDONIC_INDEX)
    assert [row["index"] for row in result["trends"]] == [100.0]
    assert "fewer than two periods" in result["result_summary"]["key_finding"]
    assert "pairs" in failure(tmp_path, AnalysisType.REPEAT_SALES_INDEX, tables).message
    assert "6 months" in failure(tmp_path, AnalysisType.TIME_ADJUSTMENT, tables).message


def test_prices_that_are_all_the_same(tmp_path: Path) -> None:
    files = tables_of(tmp_path, **town(sale_price=[300_000.0] * 320, current_assessed_value_total=[280_000.0] * 240))
    _, _, index = answer(files, AnalysisType.HEDONIC_INDEX)
    assert all(row["index"] == 100 for row in index["trends"])
    _, _, rates = answer(files, AnalysisType.TIME_ADJUSTMENT)
    assert rates["rates"][0]["ratio_trend"]["percent_per_month"] == 0
    with pytest.raises(JobFailure, match="Every ratio is the same"):
        answer(files, AnalysisType.HOTSPOTS)


def test_missing_coordinates_are_counted_or_end_the_job(tmp_path: Path) -> None:
    some = town(lon=[None if at % 3 else -119.2 - at / 9_000 for at in range(240)])
    _, _, result = answer(tables_of(tmp_path, **some), AnalysisType.HOTSPOTS, permutations=99)
    left_out = {row["reason"]: row["sales"] for row in result["left_out"]}
    assert left_out["without coordinates"] == 213
    found = failure(tmp_path, AnalysisType.HOTSPOTS, town(lon=[None] * 239 + [-119.0]))
    assert "A map of clusters needs at least 20 sales" in found.message
    assert "without coordinates" in found.message


def test_every_sale_at_one_place(tmp_path: Path) -> None:
    files = tables_of(tmp_path, **town(lon=[-119.2] * 240, lat=[46.2] * 240))
    _, _, result = answer(files, AnalysisType.HOTSPOTS, permutations=99)
    json.dumps(result, allow_nan=False)


def test_rows_of_properties_that_share_their_key_do_not_double_sales(tmp_path: Path) -> None:
    tables = town()
    tables["properties"] = {name: [*values, *values[:40]] for name, values in tables["properties"].items()}
    market, _, result = answer(tables_of(tmp_path, **tables), AnalysisType.PRICE_TREND_BY_ZIP)
    assert market.count == 320
    assert "40 rows of properties share their property_id" in result["notes"][0]


def test_flips_and_changed_properties_are_left_out_of_pairs(tmp_path: Path) -> None:
    tables = town(year_built=[2024 if at < 10 else 1980 for at in range(240)])
    sales = tables["sales"]
    again = {
        "sale_id": [f"F{at}" for at in range(100, 105)],
        "sale_date": [sales["sale_date"][at] + timedelta(days=179) for at in range(100, 105)],
        "sale_price": [9e9, *sales["sale_price"][101:105]],
    }
    tables["sales"] = {name: [*column, *again.get(name, column[100:105])] for name, column in sales.items()}
    _, _, result = answer(tables_of(tmp_path, **tables), AnalysisType.REPEAT_SALES_INDEX, period="year")
    left_out = result["pairs_excluded"]
    assert left_out["flip: sold again within 180 days"] == 5
    assert 0 < left_out["changed: built after the first sale"] <= 10
    assert left_out["both sales in one period"] > 0
    assert result["pairs"] + sum(left_out.values()) == 85


values = st.sampled_from([None, 0.0, -1.0, 1.0, 300_000.0, 1e12])
rows = st.tuples(
    st.sampled_from(["P0", "P1", "P2", None]),
    st.one_of(st.none(), st.dates(date(2020, 1, 1), date(2024, 12, 31))),
    values,
    st.sampled_from([True, True, True, False, None]),
)
holdings = st.tuples(
    st.sampled_from(["A", "B", "", None]), values, st.sampled_from([None, 0, 1950, 3000]), st.floats(-200, 200), values
)


@pytest.mark.slow
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(list(AnalysisType)),
    st.lists(rows, min_size=1, max_size=120),
    st.lists(holdings, min_size=3, max_size=3),
)
def test_any_tables_give_plain_json_or_a_reason(
    tmp_path: Path, kind: AnalysisType, sales: list[tuple[Any, ...]], properties: list[tuple[Any, ...]]
) -> None:
    import pyarrow as pa

    columns = list(zip(*sales, strict=True))
    held = list(zip(*properties, strict=True))
    files = tables_of(
        tmp_path,
        sales={
            "sale_id": [f"S{at}" for at in range(len(sales))],
            "property_id": pa.array(columns[0], pa.string()),
            "sale_date": pa.array(columns[1], pa.date32()),
            "sale_price": pa.array(columns[2], pa.float64()),
            "is_valid": pa.array(columns[3], pa.bool_()),
        },
        properties={
            "property_id": ["P0", "P1", "P2"],
            "neighborhood": pa.array(held[0], pa.string()),
            "living_area_sqft": pa.array(held[1], pa.float64()),
            "year_built": pa.array(held[2], pa.int32()),
            "lon": pa.array(held[3], pa.float64()),
            "lat": pa.array([46.0, 46.1, 46.2], pa.float64()),
            "current_assessed_value_total": pa.array(held[4], pa.float64()),
        },
    )
    parameters = {**ASKED.get(kind, {}), "min_sales": 1}
    try:
        market, analysis, result = answer(files, kind, **parameters)
    except JobFailure:
        return
    json.dumps(result, allow_nan=False)
    write_files(market.database, plan_of(kind, **parameters), analysis, None, Caption("Town", "n"), tmp_path, "t")
