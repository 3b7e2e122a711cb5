"""Reports from small counties: figures against pandas and plain Python, files opened by other libraries."""

import csv
import io
import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pypdf
import pytest
import shapely

from reporting.content import Facts, Report, Table, Text
from reporting.context import Context
from reporting.job import MAKERS, write
from reporting.kinds import KINDS, OutputFormat, ReportType
from reporting.smoothing import smooth
from terrafusion.counties import CountyConfiguration
from terrafusion.errors import FailureReason, JobFailure
from terrafusion.flatgeobuf import FlatGeobuf
from terrafusion.ratios import Measure
from tests.counties import context

pytestmark = pytest.mark.slow

Maker = Callable[..., Context]
CLASSES = ("residential", "commercial", "vacant")


def frame(seed: int = 1, count: int = 600) -> pd.DataFrame:
    """Properties with values to the cent, some missing, some exempt."""
    rng = np.random.default_rng(seed)
    land = rng.integers(2_000_000, 20_000_000, count) / 100
    building = rng.integers(0, 60_000_000, count) / 100
    return pd.DataFrame(
        {
            "property_id": [f"P-{i:04d}" for i in range(count)],
            "situs_address_full": [f"{i} Main St" for i in range(count)],
            "property_class": rng.choice([*CLASSES, "exempt"], count, p=[0.7, 0.15, 0.1, 0.05]),
            "zip_code": rng.choice(["99301", "99336", None], count, p=[0.5, 0.45, 0.05]),
            "neighborhood": rng.choice(["N1", "N2", "N3", "N4"], count),
            "year_built": np.where(building > 0, rng.integers(1900, 2024, count), np.nan),
            "living_area_sqft": np.where(building > 0, rng.integers(600, 4_500, count), np.nan).astype(float),
            "assessed_land_value": land,
            "assessed_improvement_value": building,
            "current_assessed_value_total": np.where(rng.random(count) < 0.02, np.nan, np.round(land + building, 2)),
            "prior_assessed_value_total": np.round((land + building) * rng.normal(0.95, 0.04, count), 2),
            "lon": rng.uniform(-119.3, -119.2, count),
            "lat": rng.uniform(46.2, 46.3, count),
        }
    )


def sold(properties: pd.DataFrame, seed: int = 2, count: int = 400) -> pd.DataFrame:
    """Sales of those properties, with all that can be wrong with one."""
    rng = np.random.default_rng(seed)
    at = rng.choice(len(properties), count, replace=False)
    value = properties["current_assessed_value_total"].to_numpy()[at]
    price = np.round(value / rng.normal(0.93, 0.1, count), 0)
    price[:6] = [0, -5, math.nan, 100, 250_000, 250_000]
    return pd.DataFrame(
        {
            "sale_id": [f"S-{i:04d}" for i in range(count)],
            "property_id": properties["property_id"].to_numpy()[at],
            "sale_date": [date(2022, 1, 1) + timedelta(days=int(d)) for d in rng.integers(0, 1_400, count)],
            "sale_price": price,
            "is_valid": rng.random(count) > 0.05,
            "assessed_value": value,
        }
    )


PROPERTIES = frame()
SALES = sold(PROPERTIES)


def arrow(table: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(table, preserve_index=False)


@pytest.fixture
def county(tmp_path: Path) -> Maker:
    """A context of a report of the county; `sales` and `properties` may be others."""

    def make(
        report_type: str,
        properties: pd.DataFrame | None = PROPERTIES,
        sales: pd.DataFrame | None = SALES,
        **options: Any,
    ) -> Context:
        tables = {n: arrow(t) for n, t in (("properties", properties), ("sales", sales)) if t is not None}
        return context(tmp_path, tables, report_type, **options)

    return make


def made(here: Context) -> Report:
    return MAKERS[here.plan.report_type](here)


def table_of(report: Report, key: str) -> Table:
    return next(table for table in (*report.tables, *report.sheets, report.main) if table.key == key)


def column(table: Table, key: str) -> list[Any]:
    place = [c.key for c in table.columns].index(key)
    return [row[place] for row in table.rows]


def usable(sales: pd.DataFrame) -> pd.DataFrame:
    """The sales that a study can use, said in pandas."""
    fit = sales["is_valid"] & (sales["sale_price"] > 0) & (sales["assessed_value"] > 0)
    return sales[fit].assign(ratio=lambda t: t["assessed_value"] / t["sale_price"])


def test_a_ratio_study_is_of_the_sales_that_can_be_used_and_says_what_was_left_out(county: Maker) -> None:
    report = made(county("sales_ratio_study"))
    fit = usable(SALES)
    selection = report.document["selection"]

    assert report.summary["sales_used"] == selection["used"] == len(fit)
    assert selection["read"] == len(SALES)
    assert sum(selection["excluded"].values()) == len(SALES) - len(fit)
    assert selection["excluded"]["marked as not valid by the county"] == int((~SALES["is_valid"]).sum())
    statistics = report.summary["statistics"]
    assert statistics["median"]["value"] == pytest.approx(fit["ratio"].median(), rel=1e-12)
    assert statistics["mean"]["value"] == pytest.approx(fit["ratio"].mean(), rel=1e-12)
    deviation = (fit["ratio"] - fit["ratio"].median()).abs().mean()
    assert statistics["cod"]["value"] == pytest.approx(100 * deviation / fit["ratio"].median(), rel=1e-12)


def test_groups_hold_the_sales_that_pandas_puts_there(county: Maker) -> None:
    table = made(county("sales_ratio_study")).main
    fit = usable(SALES).merge(PROPERTIES, on="property_id")
    fit = fit.assign(year=pd.to_datetime(fit["sale_date"]).dt.year.astype(str))
    found = {(row[0], row[1]): row for row in table.rows}

    for stratum in ("property_class", "neighborhood", "zip_code", "year"):
        for name, members in fit.groupby(stratum):
            row = found[stratum, name]
            assert row[2] == len(members)
            assert row[3].value == pytest.approx(members["ratio"].median(), rel=1e-12)
        assert sum(row[2] for key, row in found.items() if key[0] == stratum) == int(fit[stratum].notna().sum())
    for stratum in ("value", "age", "size"):
        assert sum(row[2] for key, row in found.items() if key[0] == stratum) <= len(fit)
    assert sum(row[2] for key, row in found.items() if key[0] == "value") == len(fit)
    aged = fit[fit["year_built"].notna() & (fit["year"].astype(int) >= fit["year_built"])]
    assert sum(row[2] for key, row in found.items() if key[0] == "age") == len(aged)


def test_a_verdict_on_a_group_names_the_measures_that_it_is_by(county: Maker) -> None:
    rng = np.random.default_rng(9)
    worth = rng.lognormal(12.5, 0.45, 400)
    noise = rng.normal(0, 0.07, (2, 400))
    sales = SALES.assign(is_valid=True, assessed_value=worth * np.exp(noise[0]), sale_price=worth * np.exp(noise[1]))
    sales.loc[sales["property_id"] < "P-0100", "sale_price"] *= 0.7
    report = made(county("sales_ratio_study", properties=PROPERTIES.assign(property_class="residential"), sales=sales))
    for table in (table_of(report, "by_neighborhood"), table_of(report, "by_value"), report.main):
        places = {c.key: i for i, c in enumerate(table.columns)}
        for row in table.rows:
            assert (row[places["because_of"]] is None) == (row[places["outcome"]] in {"pass", "not judged"})
    by_value = [row for row in report.main.rows if row[0] == "value"]
    everything = report.main.rows[0]
    failing = [m for m, outcome in report.summary["verdicts"].items() if outcome == report.summary["outcome"]]

    assert len(by_value) == 10
    assert not any("MKI" in (row[-1] or "") or "PR" in (row[-1] or "") for row in by_value)
    assert everything[-2] == report.summary["outcome"] != "pass"
    assert everything[-1].lower().replace("median ratio", "median").split(", ") == failing
    assert "cut by value" in table_of(report, "by_value").note
    assert "cut by value" in report.main.note


def test_filters_select_what_they_say(county: Maker) -> None:
    report = made(county("sales_ratio_study", year=2023, property_class=["residential", "vacant"]))
    fit = usable(SALES).merge(PROPERTIES, on="property_id")
    wanted = fit[fit["property_class"].isin(["residential", "vacant"])]
    wanted = wanted[pd.to_datetime(wanted["sale_date"]).dt.year == 2023]

    assert report.summary["sales_used"] == len(wanted)
    assert report.document["selection"]["filters"] == [
        "sold from 2023-01-01", "sold to 2023-12-31", "property_class residential, vacant",
    ]  # fmt: skip


def test_outliers_are_disclosed_and_left_out_only_when_asked(county: Maker) -> None:
    sales = usable(SALES).drop(columns="ratio").reset_index(drop=True)
    sales.loc[:3, "sale_price"] = sales.loc[:3, "assessed_value"] / 4
    kept, trimmed = (made(county("sales_ratio_study", sales=sales, trim_outliers=trim)) for trim in (False, True))

    assert kept.summary["outliers"] == trimmed.summary["outliers"] >= 4
    assert kept.summary["sales_used"] == len(sales)
    assert trimmed.summary["sales_used"] == len(sales) - trimmed.summary["outliers"]
    assert kept.document["without_outliers"] == trimmed.document["without_outliers"]
    assert trimmed.summary["statistics"] == trimmed.document["without_outliers"]
    assert len(table_of(kept, "outliers").rows) == kept.summary["outliers"]
    without = kept.document["without_outliers"]
    assert column(table_of(kept, "measures"), "without_outliers") == [without[m.value]["value"] for m in Measure]


def facts_of(report: Report, key: str) -> dict[str, str]:
    return dict(next(b for s in report.sections for b in s.blocks if isinstance(b, Facts) and b.key == key).items)


def test_sold_properties_are_compared_with_unsold_ones_of_their_kind(county: Maker) -> None:
    homes, shops = np.arange(600) < 400, np.arange(600) >= 400
    properties = PROPERTIES.assign(
        property_class=np.where(homes, "residential", "commercial"),
        prior_assessed_value_total=100_000.0,
        current_assessed_value_total=np.where(shops, 120_000.0, 103_000.0),
    )
    # Homes: 0 to 99 sold in 2024; 100 to 149 sold in 2023 and raised by 30 %; of 150 to 159 the sales are not valid.
    properties.loc[100:149, "current_assessed_value_total"] = 130_000.0
    sales = pd.DataFrame(
        {
            "sale_id": [f"S-{i}" for i in range(160)],
            "property_id": properties["property_id"][:160],
            "sale_date": [date(2023 if 100 <= i < 150 else 2024, 3, 1) for i in range(160)],
            "sale_price": np.random.default_rng(4).normal(103_000, 8_000, 160).round(),
            "is_valid": [i < 150 for i in range(160)],
            "assessed_value": 103_000.0,
        }
    )
    report = made(
        county("sales_ratio_study", properties=properties, sales=sales, year=2024, property_class=["residential"])
    )
    found = facts_of(report, "sold_unsold")
    texts = [b.text for s in report.sections if s.title == "Sales chasing" for b in s.blocks if isinstance(b, Text)]

    assert found["Sold"] == "100 properties, median change +3.00%"
    assert found["Unsold"] == "250 properties, median change +3.00%"
    assert found["Finding"] == "not suspected"
    assert "50 with only other sales" in texts[0]


def test_sold_and_unsold_are_not_compared_by_a_field_that_the_roll_lacks(county: Maker) -> None:
    sales = SALES.assign(neighborhood="N1")
    report = made(
        county(
            "sales_ratio_study",
            properties=PROPERTIES.drop(columns="neighborhood"),
            sales=sales,
            neighborhood=["N1"],
        )
    )
    texts = [b.text for s in report.sections if s.title == "Sales chasing" for b in s.blocks if isinstance(b, Text)]
    assert "selected by neighborhood, which the roll does not have" in texts[0]


def test_prices_are_brought_to_a_day_on_request(county: Maker) -> None:
    sales = usable(SALES).drop(columns="ratio").reset_index(drop=True)
    rng = np.random.default_rng(5)
    months = np.array([(d - date(2022, 1, 1)).days / 30.4375 for d in sales["sale_date"]])
    value = rng.uniform(2e5, 4e5, len(sales))
    noise = rng.lognormal(0, 0.03, len(sales))
    sales = sales.assign(assessed_value=value, sale_price=value * 1.01**months * noise)
    plain = made(county("sales_ratio_study", sales=sales))
    adjusted = made(county("sales_ratio_study", sales=sales, time_adjust=True, adjust_to="2022-01-01"))

    assert adjusted.document["time_adjustment"]["per_month"] == pytest.approx(0.01, abs=0.001)
    assert adjusted.summary["statistics"]["median"]["value"] == pytest.approx(1.0, abs=0.02)
    assert adjusted.summary["statistics"]["cod"]["value"] < 4 < plain.summary["statistics"]["cod"]["value"]


def test_the_current_roll_serves_where_sales_keep_no_value(county: Maker) -> None:
    sales = SALES.drop(columns="assessed_value")
    report = made(county("sales_ratio_study", sales=sales))

    assert report.document["selection"]["value_source"] == "roll"
    assert report.summary["sales_used"] == len(usable(SALES))


def test_a_property_that_repeats_does_not_repeat_its_sales(county: Maker) -> None:
    twice = pd.concat([PROPERTIES, PROPERTIES])
    assert made(county("sales_ratio_study", properties=twice)).summary["sales_used"] == len(usable(SALES))


def test_small_samples_say_what_cannot_be_said(county: Maker) -> None:
    few = usable(SALES).drop(columns="ratio").head(12)
    report = made(county("sales_ratio_study", sales=few))
    single = made(county("sales_ratio_study", sales=few.head(1)))

    assert report.summary["statistics"]["vei"] == {"value": None, "n": 12, "not_computed": "not computed (n = 12 < 20)"}
    assert report.summary["verdicts"]["vei"] == "not judged"
    assert single.summary["outcome"] == "not judged"
    assert single.summary["statistics"]["cod"]["not_computed"] == "not computed (n = 1 < 2)"
    equity = made(county("vertical_equity", sales=few))
    assert "not computed (n = 12 < 20)" in equity.main.note


@pytest.mark.parametrize(
    ("sales", "parameters", "words"),
    [
        (SALES.assign(sale_price=0.0), {}, "sale price of 0 or below"),
        (SALES.assign(assessed_value=math.nan), {"value_source": "sale"}, "no assessed value"),
        (SALES.assign(is_valid=False), {}, "marked as not valid"),
        (SALES, {"year": 1950}, "outside of sold from 1950-01-01"),
        (SALES, {"property_class": "residental"}, "Did you mean residential"),
    ],
)
def test_when_no_sale_is_left_the_job_says_why(
    county: Maker, sales: pd.DataFrame, parameters: dict[str, Any], words: str
) -> None:
    with pytest.raises(JobFailure, match=words) as failed:
        made(county("sales_ratio_study", sales=sales, **parameters))
    assert failed.value.reason is FailureReason.INSUFFICIENT_SALES


def test_the_roll_adds_up_to_the_cent(county: Maker) -> None:
    report = made(county("assessment_roll_summary"))
    cents = [Decimal(str(v)) for v in PROPERTIES["current_assessed_value_total"].dropna()]
    total = sum(cents, Decimal(0))

    assert report.summary["current_value"] == f"{total:.2f}"
    assert report.summary["properties"] == len(PROPERTIES)
    for key in ("by_property_class", "by_zip_code", "by_neighborhood"):
        table = table_of(report, key)
        values = column(table, "current_value")
        assert sum(values[:-1], Decimal(0)) == values[-1] == total
        assert sum(column(table, "properties")[:-1]) == len(PROPERTIES)
    exempt = PROPERTIES[PROPERTIES["property_class"] == "exempt"]["current_assessed_value_total"].dropna()
    assert report.summary["exempt_value"] == f"{sum((Decimal(str(v)) for v in exempt), Decimal(0)):.2f}"
    facts = next(b for s in report.sections for b in s.blocks if getattr(b, "key", "") == "missing")
    missing = dict(facts.items)  # type: ignore[union-attr,arg-type]
    assert missing["Without a current value"] == str(int(PROPERTIES["current_assessed_value_total"].isna().sum()))


def test_exempt_classes_are_the_countys(county: Maker) -> None:
    configuration = CountyConfiguration.model_validate({"reporting": {"exempt_classes": ["vacant"]}})
    report = made(county("assessment_roll_summary", configuration=configuration))
    vacant = PROPERTIES[PROPERTIES["property_class"] == "vacant"]["current_assessed_value_total"].sum()
    assert float(report.summary["exempt_value"]) == pytest.approx(vacant)


def test_value_changes_against_pandas(county: Maker) -> None:
    report = made(county("value_change", movers=10, sold_from="2022-01-01", sold_to="2025-12-31"))
    both = PROPERTIES.dropna(subset=["current_assessed_value_total", "prior_assessed_value_total"])
    change = both["current_assessed_value_total"] / both["prior_assessed_value_total"] - 1
    bought = both["property_id"].isin(SALES[SALES["is_valid"]]["property_id"])

    assert report.summary["properties_compared"] == len(both)
    assert report.summary["median_change_percent"] == pytest.approx(100 * change.median(), rel=1e-12)
    assert report.summary["sold_unsold"]["sold"] == int(bought.sum())
    assert report.summary["sold_unsold"]["sold_median_change"] == pytest.approx(change[bought].median(), rel=1e-12)
    moved = (both["current_assessed_value_total"] - both["prior_assessed_value_total"]).sort_values(ascending=False)
    assert [float(v) for v in column(table_of(report, "raised"), "change")] == pytest.approx(
        moved.head(10).tolist(), abs=0.005
    )
    table = table_of(report, "by_property_class")
    assert sum(column(table, "change")[:-1], Decimal(0)) == column(table, "change")[-1]


def test_nothing_to_compare_is_said(county: Maker) -> None:
    with pytest.raises(JobFailure, match="prior value above 0") as failed:
        made(county("value_change", properties=PROPERTIES.assign(prior_assessed_value_total=0.0)))
    assert failed.value.reason is FailureReason.INSUFFICIENT_DATA
    with pytest.raises(JobFailure, match="Did you mean vacant"):
        made(county("assessment_roll_summary", property_class="vacan"))


def test_each_reason_flags_the_sale_that_has_it(county: Maker) -> None:
    sales = usable(SALES).drop(columns="ratio").reset_index(drop=True).iloc[:200].copy()
    sales["sale_price"] = np.round(sales["assessed_value"] / np.random.default_rng(3).normal(0.95, 0.03, 200), 0)
    one_day = date(2024, 5, 6)
    sales.loc[0, "sale_price"] = 500.0
    sales.loc[1, "sale_price"] = sales.loc[1, "assessed_value"] * 9
    sales.loc[2, "is_valid"] = False
    sales.loc[3, "sale_price"] = 0.0
    sales.loc[[4, 5], ["sale_date", "sale_price"]] = [one_day, 333_333.0]
    sales.loc[7, ["property_id", "sale_date", "sale_price"]] = sales.loc[6, ["property_id", "sale_date", "sale_price"]]
    sales.loc[9, "property_id"] = sales.loc[8, "property_id"]
    sales.loc[8, ["sale_date", "sale_price"]] = [date(2024, 1, 1), 200_000.0]
    sales.loc[9, ["sale_date", "sale_price"]] = [date(2024, 6, 1), 320_000.0]
    sales.loc[10, "property_id"] = "P-nowhere"
    built = PROPERTIES.copy()
    built.loc[built["property_id"] == sales.loc[11, "property_id"], "year_built"] = 2030
    table = made(county("sales_validation", properties=built, sales=sales)).main
    reasons = dict(zip(column(table, "sale_id"), column(table, "reasons"), strict=True))

    expected = {
        0: "below 1,000 dollars", 1: "ratio is unusual", 2: "not valid", 3: "sale price of 0 or below", 4: "one deed",
        5: "one deed", 6: "another row", 7: "another row", 8: "+60% in 152 days", 9: "sold again",
        10: "not on the roll", 11: "before it was built",
    }  # fmt: skip
    for place, words in expected.items():
        assert words in reasons[sales.loc[place, "sale_id"]], place
    assert len(reasons) < 40
    assert all(column(table, "cluster"))


def test_clusters_widen_until_they_can_judge(county: Maker) -> None:
    report = made(county("sales_validation"))
    fit = usable(SALES).merge(PROPERTIES, on="property_id")
    sizes = fit.groupby(["property_class", "neighborhood"]).size()
    large = {f"{c}, {n}" for (c, n), size in sizes.items() if size >= 15}
    used = set(column(report.main, "cluster"))
    assert used <= large | set(CLASSES) | {"exempt", "all sales"}
    assert used & large


def test_an_outlier_in_a_small_neighborhood_is_judged_against_its_class(county: Maker) -> None:
    places = ["N1"] * 100 + ["N2"] * 10 + ["N3"] * 6
    properties = PROPERTIES.head(116).assign(neighborhood=places, property_class=["residential"] * 110 + ["farm"] * 6)
    area = [1_500.0] * 110 + [9_000.0] * 6
    properties = properties.assign(current_assessed_value_total=206_000.0, year_built=1990.0, living_area_sqft=area)
    price = np.round(206_000 / np.random.default_rng(8).normal(1, 0.05, 116), 0)
    price[[105, 112]] = 10_300.0, 20_600.0
    sales = pd.DataFrame(
        {
            "sale_id": [f"S-{i}" for i in range(116)],
            "property_id": properties["property_id"],
            "sale_date": [date(2024, 1, 1) + timedelta(days=i) for i in range(116)],
            "sale_price": price,
            "assessed_value": 206_000.0,
        }
    )
    table = made(county("sales_validation", properties=properties, sales=sales)).main
    keys = ("sale_id", "cluster", "reasons")
    found = {sale: words for sale, *words in zip(*(column(table, key) for key in keys), strict=True)}
    usual = np.log(206_000 / price[:110])
    lower, upper = np.percentile(usual, [25, 75])
    reach = 1.5 * (upper - lower)

    assert found["S-105"][0] == "residential"
    assert "ratio is unusual" in found["S-105"][1]
    assert f"(20.000, usual {math.exp(lower - reach):.3f} to {math.exp(upper + reach):.3f})" in found["S-105"][1]
    assert "price per square foot is unusual" in found["S-105"][1]
    assert found["S-112"][0] == "all sales"
    assert "(10.000, usual" in found["S-112"][1]
    assert not any("square foot" in found[f"S-{i}"][1] for i in range(110, 116) if f"S-{i}" in found)


def parcels_file(folder: Path, properties: pd.DataFrame) -> Path:
    """Square parcels in feet around each property, as FlatGeobuf."""
    points = geopandas.GeoSeries.from_xy(properties["lon"], properties["lat"], crs="EPSG:4326").to_crs("EPSG:2927")
    squares = points.buffer(40, cap_style="square")
    path = folder / "parcels.fgb"
    geopandas.GeoDataFrame({"property_id": properties["property_id"]}, geometry=squares, crs="EPSG:2927").to_file(
        path, driver="FlatGeobuf", engine="pyogrio"
    )
    return path


def test_a_record_card_shows_the_property_its_sales_and_its_parcel(county: Maker, tmp_path: Path) -> None:
    path = parcels_file(tmp_path, PROPERTIES)
    shapes = geopandas.read_file(path)
    here = county("property_record_card", property_ids=["P-0007", "P-0003"], maps={"parcels": FlatGeobuf.open(path)})
    layer = here.snapshot.layers["properties"].model_copy(
        update={
            "layer": "parcels",
            "crs": "EPSG:2927",
            "crs_wkt": shapes.crs.to_wkt(),
            "bbox": tuple(shapes.to_crs(4326).total_bounds),
            "native_bbox": tuple(shapes.total_bounds),
        }
    )
    here = replace(
        here, snapshot=here.snapshot.model_copy(update={"layers": {**here.snapshot.layers, "parcels": layer}})
    )
    report = made(here)
    pictures = [b for s in report.sections for b in s.blocks if hasattr(b, "svg")]

    assert [s.title.split(",")[0] for s in report.sections] == ["Property P-0007", "Property P-0003", "Inputs"]
    assert [p.title for p in pictures] == ["Parcel P-0007", "Parcel P-0003"]
    near = shapes[shapes["property_id"] == "P-0007"].geometry.iloc[0]
    around = shapely.box(*near.buffer(80, cap_style="square", join_style="mitre").bounds)
    neighbors = int(shapes.intersects(around).sum()) - 1
    assert f"among {neighbors} neighboring" in pictures[0].alt
    sales = SALES[SALES["property_id"] == "P-0007"]
    assert len(report.document["cards"][0]["sales"]) == len(sales)


def test_an_unknown_property_is_named_with_those_that_come_near(county: Maker) -> None:
    with pytest.raises(JobFailure, match=r"no property P-00077\. Did you mean P-0077") as failed:
        made(county("property_record_card", property_id="P-00077"))
    assert failed.value.reason is FailureReason.PROPERTY_NOT_FOUND


ALL = [(kind, output) for kind in ReportType for output in KINDS[kind].formats]


def written(here: Context, folder: Path, name: str = "report") -> tuple[Report, Path, int | None]:
    report = made(here)
    path = folder / f"{name}.{here.plan.output_format}"
    return report, path, write(report, here.line(), here.plan.output_format, path)


def options(kind: ReportType, output: OutputFormat) -> dict[str, Any]:
    which = {"property_ids": ["P-0001", "P-0002"]} if kind is ReportType.PROPERTY_RECORD_CARD else {}
    return {"output_format": output, **which}


@pytest.mark.parametrize(("kind", "output"), ALL)
def test_the_same_job_gives_the_same_bytes(
    county: Maker, tmp_path: Path, kind: ReportType, output: OutputFormat
) -> None:
    first = written(county(kind, **options(kind, output)), tmp_path, "first")[1]
    second = written(county(kind, **options(kind, output)), tmp_path, "second")[1]
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("kind", [k for k in ReportType if OutputFormat.PDF in KINDS[k].formats])
def test_a_pdf_is_tagged_embeds_its_fonts_and_numbers_its_pages(
    county: Maker, tmp_path: Path, kind: ReportType
) -> None:
    report, path, pages = written(county(kind, **options(kind, OutputFormat.PDF)), tmp_path)
    document = pypdf.PdfReader(path)
    catalogue = document.trailer["/Root"]

    assert len(document.pages) == pages
    assert str(catalogue["/MarkInfo"]["/Marked"]) == "True"
    assert "/StructTreeRoot" in catalogue
    assert catalogue["/Lang"].startswith("en")
    assert b"pdfuaid" in path.read_bytes()
    assert document.metadata is not None
    assert document.metadata.title == report.title
    for number, page in enumerate(document.pages, 1):
        text = page.extract_text()
        assert f"Page {number} of {pages}" in text
        assert "fedcba9876543210" in text  # pragma: allowlist secret
        for font in page["/Resources"].get("/Font", {}).values():
            descendant = font.get_object().get("/DescendantFonts", [font])[0].get_object()
            descriptor = descendant["/FontDescriptor"]
            assert {"/FontFile", "/FontFile2", "/FontFile3"} & set(descriptor)
    whole = " ".join(page.extract_text() for page in document.pages)
    for section in report.sections:
        assert section.title.split()[0] in whole


class Page(HTMLParser):
    """What an assistive technology relies on."""

    def __init__(self) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self.problems: list[str] = []
        self.captions = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.attributes.append((tag, values))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "th" and values.get("scope") not in {"col", "row"}:
            self.problems.append("a th without a scope")
        if tag == "caption":
            self.captions += 1


@pytest.mark.parametrize("kind", list(ReportType))
def test_a_page_is_one_file_that_can_be_read_aloud(county: Maker, tmp_path: Path, kind: ReportType) -> None:
    """Structure only; what a browser's checker says of such a page is in docs/methods/ratio-studies.md."""
    report, path, _ = written(county(kind, **options(kind, OutputFormat.HTML)), tmp_path)
    text = path.read_text()
    page = Page()
    page.feed(text)
    tags = [tag for tag, _ in page.attributes]

    assert page.attributes[0] == ("html", {"lang": "en-US"})
    assert page.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert page.captions == tags.count("table") >= 1
    assert not page.problems
    assert "script" not in tags
    pictures = [values for tag, values in page.attributes if tag == "svg"]
    assert all(
        values.get("role") == "img" and (values.get("aria-labelledby") or values.get("aria-label"))
        for values in pictures
    )
    ids = [values["id"] for _, values in page.attributes if "id" in values]
    assert len(ids) == len(set(ids))
    addresses = [v for _, values in page.attributes for n, v in values.items() if n in {"src", "href"} and v]
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert {address[1:] for address in addresses if address.startswith("#")} <= set(ids)
    assert "nan" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL).lower().split()
    assert report.title in text


def test_a_workbook_has_types_frozen_headers_and_formulas_that_come_to_the_values(
    county: Maker, tmp_path: Path
) -> None:
    report, path, _ = written(county("sales_ratio_study", output_format="xlsx"), tmp_path)
    formulas, values = openpyxl.load_workbook(path), openpyxl.load_workbook(path, data_only=True)
    fit = usable(SALES)

    sheet, computed = formulas["Sales studied"], values["Sales studied"]
    header = next(row[0].row for row in sheet.iter_rows() if row[0].value == "Sale")
    place = {cell.value: cell.column for cell in sheet[header]}
    assert sheet.freeze_panes == f"B{header + 1}"
    rows = range(header + 1, header + 1 + len(fit))
    for row in rows:
        value, price = (computed.cell(row, place[n]).value for n in ("Assessed value", "Sale price"))
        assert computed.cell(row, place["Ratio"]).value == pytest.approx(value / price)
        letters = [openpyxl.utils.get_column_letter(place[n]) for n in ("Assessed value", "Sale price")]
        assert sheet.cell(row, place["Ratio"]).value == f"={letters[0]}{row}/{letters[1]}{row}"
        assert computed.cell(row, place["Date"]).is_date
    letter = openpyxl.utils.get_column_letter(place["Ratio"])
    assert sheet["B1"].value == f"=MEDIAN({letter}{rows[0]}:{letter}{rows[-1]})"
    assert computed["B1"].value == pytest.approx(fit["ratio"].median())
    assert len(formulas.sheetnames) == len(set(formulas.sheetnames))
    assert {s.title for s in formulas} >= {"About", "Statistics by group", "Measures against the standard"}
    assert report.summary["sales_used"] == len(rows)


def test_a_workbooks_totals_are_sums_of_its_rows(county: Maker, tmp_path: Path) -> None:
    _, path, _ = written(county("assessment_roll_summary", output_format="xlsx"), tmp_path)
    sheet, computed = (openpyxl.load_workbook(path, data_only=v)["Values by property class"] for v in (False, True))
    rows = list(computed.iter_rows(min_row=2, values_only=True))
    last = next(i for i, row in enumerate(rows) if row[0] == "Total")

    assert rows[last][2] == pytest.approx(sum(row[2] for row in rows[:last]))
    assert sheet.cell(last + 2, 3).value == f"=SUM(C2:C{last + 1})"
    assert sheet.cell(2, 5).value == "=C2-D2"
    assert computed.cell(2, 3).number_format == "#,##0.00"


def test_csv_and_json_say_the_same_and_hold_only_numbers_or_reasons(county: Maker, tmp_path: Path) -> None:
    _, as_csv, _ = written(county("sales_ratio_study", output_format="csv"), tmp_path)
    _, as_json, _ = written(county("sales_ratio_study", output_format="json"), tmp_path)
    rows = list(csv.DictReader(io.StringIO(as_csv.read_text())))
    document = json.loads(as_json.read_text(), parse_constant=pytest.fail)
    records = document["tables"]["statistics"]["rows"]

    assert [row["group"] for row in rows] == [record["group"] for record in records]
    for row, record in zip(rows, records, strict=True):
        for measure in Measure:
            statistic = record[measure.value]
            if statistic["value"] is None:
                assert row[measure.value] == statistic["not_computed"]
            else:
                assert float(row[measure.value]) == statistic["value"]
    assert document["inputs"]["dataset_version"] == "fedcba9876543210"  # pragma: allowlist secret
    assert document["inputs"]["sources"][0]["sha256"] == "0" * 64


@pytest.mark.parametrize("kind", list(ReportType))
def test_json_is_strict(county: Maker, tmp_path: Path, kind: ReportType) -> None:
    _, path, _ = written(county(kind, **options(kind, OutputFormat.JSON)), tmp_path)
    json.loads(path.read_text(), parse_constant=pytest.fail)


def test_texts_that_a_spreadsheet_would_run_stay_texts(county: Maker, tmp_path: Path) -> None:
    bad = PROPERTIES.assign(property_class='=HYPERLINK("http://evil.example")')
    _, path, _ = written(county("assessment_roll_summary", properties=bad, output_format="csv"), tmp_path)
    assert path.read_text().splitlines()[1].startswith("\"'=HYPERLINK")
    _, path, _ = written(county("assessment_roll_summary", properties=bad, output_format="xlsx"), tmp_path)
    cell = openpyxl.load_workbook(path)["Values by property class"]["A2"]
    assert (cell.data_type, cell.value) == ("s", '=HYPERLINK("http://evil.example")')


@pytest.mark.parametrize("kind", ["assessment_roll_summary", "sales_ratio_study"])
def test_what_a_county_writes_stays_text_on_a_page(county: Maker, tmp_path: Path, kind: str) -> None:
    names = {"residential": "<script>alert(1)</script>", "vacant": '#panic("no") *bold* $x$', "commercial": 'a & b "c"'}
    bad = PROPERTIES.assign(property_class=PROPERTIES["property_class"].replace(names))
    _, page, _ = written(county(kind, properties=bad, output_format="html"), tmp_path)
    _, document, _ = written(county(kind, properties=bad, output_format="pdf"), tmp_path)
    whole = " ".join(p.extract_text() for p in pypdf.PdfReader(document).pages)

    assert "<script" not in page.read_text()
    assert "&lt;script&gt;alert(1)" in page.read_text()
    for name in names.values():
        assert name.split()[0] in whole


def test_a_report_says_its_date_and_its_day_is_the_requests(county: Maker, tmp_path: Path) -> None:
    _, path, _ = written(county("assessment_roll_summary", output_format="html"), tmp_path)
    assert "2026-03-02" in path.read_text()


def test_a_smooth_line_follows_a_straight_one() -> None:
    x = np.linspace(0, 10, 1_000)
    at, fitted = smooth(x, 3 - 0.2 * x)
    assert fitted == pytest.approx(3 - 0.2 * at, abs=1e-9)
