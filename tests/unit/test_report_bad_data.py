"""What is wrong in a county's tables moves no figure of a report, and is counted; what cannot be answered says why."""

import math
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from reporting.content import Facts, Report
from reporting.job import MAKERS
from terrafusion.counties import CountyConfiguration
from terrafusion.errors import FailureReason, JobFailure
from tests.counties import context

pytestmark = pytest.mark.slow

COUNT = 200
PUBLISHED = date(2026, 3, 1)
FUTURE = "dated after the data were published"


def town() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Houses of one value, each sold once over two years in which prices rose by 0.6 % a month."""
    rng = np.random.default_rng(5)
    month = np.arange(COUNT) % 24
    ids = [f"R{at}" for at in range(COUNT)]
    properties = pd.DataFrame(
        {
            "property_id": ids,
            "property_class": "residential",
            "zip_code": "01234",
            "neighborhood": "N1",
            "current_assessed_value_total": 200_000.0,
            "prior_assessed_value_total": 190_000.0 + np.arange(COUNT),
        }
    )
    sales = pd.DataFrame(
        {
            "sale_id": [f"S{at}" for at in range(COUNT)],
            "property_id": ids,
            "sale_date": [date(2024 + m // 12, m % 12 + 1, 10) for m in month],
            "sale_price": np.round(200_000 * 1.006**month / rng.uniform(0.92, 1.08, COUNT)),
            "is_valid": True,
            "assessed_value": 200_000.0,
        }
    )
    return properties, sales


PROPERTIES, SALES = town()


def sale(**changes: Any) -> pd.DataFrame:
    """The town's sales and one more of its first house."""
    one = {
        "sale_id": "SX", "property_id": "R0", "sale_date": date(2025, 6, 10), "sale_price": 215_000.0,
        "is_valid": True, "assessed_value": 200_000.0,
    }  # fmt: skip
    return pd.concat([SALES, pd.DataFrame([one | changes])], ignore_index=True)


def report(
    folder: Path, kind: str, sales: pd.DataFrame = SALES, properties: pd.DataFrame = PROPERTIES, **parameters: Any
) -> Report:
    tables = {"properties": properties, "sales": sales}
    arrow = {name: pa.Table.from_pandas(table, preserve_index=False) for name, table in tables.items()}
    here = context(folder, arrow, kind, CountyConfiguration(), **parameters)
    return MAKERS[here.plan.report_type](here)


def facts(made: Report, key: str) -> dict[str, str]:
    found = next(b for s in made.sections for b in s.blocks if isinstance(b, Facts) and b.key == key)
    return dict(found.items)


def texts(made: Report) -> str:
    return " ".join(str(block) for section in made.sections for block in section.blocks)


@pytest.mark.parametrize("time_adjust", [False, True])
def test_a_sale_dated_in_the_future_moves_no_ratio_study(tmp_path: Path, time_adjust: bool) -> None:
    plain = report(tmp_path, "sales_ratio_study", time_adjust=time_adjust)
    typo = report(tmp_path, "sales_ratio_study", sale(sale_date=date(2205, 6, 10)), time_adjust=time_adjust)

    assert typo.summary == plain.summary
    assert typo.document["time_adjustment"] == plain.document["time_adjustment"]
    assert typo.document["selection"]["excluded"] == {FUTURE: 1}
    assert facts(typo, "inputs")[f"Left out: {FUTURE}"] == "1"


def test_a_sale_of_the_day_of_publication_counts(tmp_path: Path) -> None:
    made = report(tmp_path, "sales_ratio_study", sale(sale_date=PUBLISHED))
    assert made.summary["sales_used"] == COUNT + 1


def test_a_sale_dated_in_the_future_is_to_be_looked_at(tmp_path: Path) -> None:
    made = report(tmp_path, "sales_validation", sale(sale_date=date(2205, 6, 10)))

    assert made.summary["by_reason"]["future_date"] == 1
    assert made.summary["by_reason"]["unusable"] == 0
    row = next(row for row in made.main.rows if row[0] == "SX")
    assert FUTURE in str(row[7])


@pytest.mark.parametrize("asked", [{}, {"sold_from": "2024-06-01", "sold_to": "2099-12-31"}])
def test_a_sale_dated_in_the_future_makes_no_property_sold(tmp_path: Path, asked: dict[str, str]) -> None:
    unsold = PROPERTIES.assign(property_id=[f"U{at}" for at in range(COUNT)])
    roll = pd.concat([PROPERTIES, unsold], ignore_index=True)
    plain = report(tmp_path, "value_change", properties=roll, **asked)
    typo = report(
        tmp_path, "value_change", sale(property_id="U0", sale_date=date(2062, 6, 1)), properties=roll, **asked
    )

    assert typo.summary["sold_unsold"] == plain.summary["sold_unsold"]
    assert typo.summary["sold_unsold"]["sold"] > 100
    assert FUTURE not in texts(plain)
    assert f"Passed over, as {FUTURE}: 1." in texts(typo)


def test_a_roll_whose_last_sale_is_in_the_future_is_measured_by_the_others(tmp_path: Path) -> None:
    days: list[date] = [PUBLISHED - timedelta(days=at) for at in range(COUNT)]
    roll = PROPERTIES.assign(last_sale_date=[date(2205, 6, 10), *days[1:]])
    table = pa.Table.from_pandas(roll, preserve_index=False)
    here = context(tmp_path, {"properties": table}, "value_change", CountyConfiguration())
    made = MAKERS[here.plan.report_type](here)

    assert made.summary["sold_unsold"]["sold"] == COUNT - 1
    assert f"to {days[1]} in the properties' last_sale_date" in texts(made)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sale_price": 1e308}, "sale price of 1,000,000,000,000,000 dollars or more"),
        ({"sale_price": math.inf}, "sale price of 1,000,000,000,000,000 dollars or more"),
        ({"assessed_value": 1e15}, "assessed value of 1,000,000,000,000,000 dollars or more"),
        ({"assessed_value": math.inf}, "assessed value of 1,000,000,000,000,000 dollars or more"),
    ],
)
@pytest.mark.parametrize("kind", ["sales_ratio_study", "vertical_equity", "sales_validation"])
def test_an_amount_that_is_no_money_is_left_out_and_counted(
    tmp_path: Path, kind: str, changes: dict[str, float], reason: str
) -> None:
    made = report(tmp_path, kind, sale(**changes))

    assert made.document["selection"]["excluded"] == {reason: 1}
    assert made.document["selection"]["used"] == COUNT


@pytest.mark.parametrize("value", [1e15, -1e17, 1e308, math.inf])
def test_a_value_of_the_roll_that_is_no_money_is_missing_and_counted(tmp_path: Path, value: float) -> None:
    field = "current_assessed_value_total"
    typo = PROPERTIES.assign(**{field: [value, 90_000_000_000_000.0, *PROPERTIES[field][2:]]})
    label = "With a value of 1,000,000,000,000,000 dollars or more, read as missing"
    summary = report(tmp_path, "assessment_roll_summary", properties=typo)
    change = report(tmp_path, "value_change", properties=typo)

    assert summary.summary["current_value"] == f"{90_000_000_000_000 + (COUNT - 2) * 200_000}.00"
    assert facts(summary, "missing")[label] == facts(summary, "missing")["Without a current value"] == "1"
    assert change.summary["properties_compared"] == COUNT - 1
    assert facts(change, "inputs")[label] == facts(change, "inputs")["Left out: no current value"] == "1"


@pytest.mark.parametrize("day", ["0001-01-01", "2019-01-09", "2030-12-11"])
def test_prices_are_not_brought_to_a_day_far_from_the_sales(tmp_path: Path, day: str) -> None:
    with pytest.raises(JobFailure, match="five years from the sales, of 2024-01-10 to 2025-12-10") as failed:
        report(tmp_path, "sales_ratio_study", time_adjust=True, adjust_to=day)
    assert failed.value.reason is FailureReason.INSUFFICIENT_SALES


@pytest.mark.parametrize("day", ["2019-01-10", "2030-12-10"])
def test_prices_are_brought_to_a_day_within_five_years_of_the_sales(tmp_path: Path, day: str) -> None:
    made = report(tmp_path, "sales_ratio_study", time_adjust=True, adjust_to=day)
    assert made.document["time_adjustment"]["to"] == day


def test_a_trend_of_a_few_days_that_leaves_all_money_says_so(tmp_path: Path) -> None:
    few = SALES.head(20).assign(
        sale_date=[date(2025, 6, d) for d in range(1, 21)], sale_price=[100_000.0 * 2**d for d in range(20)]
    )
    with pytest.raises(JobFailure, match="beyond all money") as failed:
        report(tmp_path, "sales_ratio_study", few, time_adjust=True, adjust_to="2029-01-01")
    assert failed.value.reason is FailureReason.INSUFFICIENT_SALES


@pytest.mark.parametrize("kind", ["sales_ratio_study", "assessment_roll_summary"])
def test_a_term_is_found_among_thousands(tmp_path: Path, kind: str) -> None:
    count = 5_400
    roll = pd.DataFrame(
        {
            "property_id": [f"R{at}" for at in range(count)],
            "zip_code": [str(10_000 + at) for at in range(count)],
            "current_assessed_value_total": 200_000.0,
        }
    )
    sales = pd.DataFrame({"property_id": roll["property_id"], "sale_price": 210_000.0, "sale_date": date(2025, 6, 10)})
    made = report(tmp_path, kind, sales, roll, zip_code=["15399", "10000"])

    assert (made.summary.get("sales_used") or made.summary.get("properties")) == 2
    with pytest.raises(JobFailure, match="Did you mean 15399 or"):
        report(tmp_path, kind, sales, roll, zip_code=["15399", "1539"])


@pytest.mark.parametrize("kind", ["sales_ratio_study", "vertical_equity", "sales_validation"])
def test_rows_that_repeat_a_property_count_alike_in_any_order_and_are_counted(tmp_path: Path, kind: str) -> None:
    elsewhere = PROPERTIES.assign(neighborhood="N2", zip_code=None)
    unknown = PROPERTIES.assign(neighborhood=None)
    roll = pd.concat([PROPERTIES, elsewhere, unknown], ignore_index=True)
    orders = (roll, roll[::-1], roll.sample(frac=1, random_state=3))
    first, *others = (report(tmp_path, kind, properties=rows) for rows in orders)

    for other in others:
        assert other.summary == first.summary
        assert [list(row) for row in other.main.rows] == [list(row) for row in first.main.rows]
    assert first.document["selection"]["roll_rows_repeated"] == 2 * COUNT
    assert facts(first, "inputs")["Rows of the roll passed over, as another stands for their property"] == "400"
    if kind == "sales_ratio_study":
        groups = {row[1]: row[2] for row in first.main.rows if row[0] in {"neighborhood", "zip_code"}}
        assert groups == {"N1": COUNT, "01234": COUNT}
