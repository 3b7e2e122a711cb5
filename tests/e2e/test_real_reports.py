"""Reports of two real counties, tied to their source files by other tools."""

import csv
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pypdf
import pytest

from tests.e2e.support import Client, LocalCloud, terrafusion
from tests.e2e.test_reports import ask, fetched

CAMBRIDGE = {
    "property_class": "use_desc",
    "situs_address_full": "location",
    "land_area_sqft": "land_area",
    "living_area_sqft": "gross_area",
    "year_built": "year_built",
    "assessed_land_value": "land_value",
    "assessed_improvement_value": "impr_value",
    "current_assessed_value_total": "total_value",
    "prior_assessed_value_total": "prior_total_value",
    "last_sale_date": "last_sale_date",
}
LUCAS = {"property_id": "parcel_no", "sale_price": "price", "assessed_value": "avalue", "sale_date": "sale_date"}


def load(cloud: LocalCloud, county: str, layer: str, file: Path, key: str, columns: dict[str, str]) -> None:
    mapping = [word for pair in columns.items() for word in ("--map", "=".join(pair))]
    terrafusion("load", county, layer, str(file), "--key", key, *mapping, "--state", str(cloud.state))


@pytest.fixture(scope="module")
def city(cloud: LocalCloud, cambridge: Path, as_role: Callable[..., Client]) -> Client:
    """Staff of Cambridge, whose parcels are loaded as the roll."""
    load(cloud, "cambridge_roll", "properties", cambridge, "ML", CAMBRIDGE)
    return as_role("ReportingStaff", "cambridge_roll")


@pytest.fixture(scope="module")
def lucas(cloud: LocalCloud, lucas_sales: Path, as_role: Callable[..., Client]) -> Client:
    """Staff of Lucas County."""
    load(cloud, "lucas", "sales", lucas_sales, "parcel_no", LUCAS)
    return as_role("ReportingStaff", "lucas")


@pytest.fixture(scope="module")
def source(lucas_sales: Path) -> pd.DataFrame:
    """The sales as published, with their ratios."""
    table = pd.read_csv(lucas_sales)
    return table.assign(ratio=table["avalue"] / table["price"], year=table["sale_date"].str[:4])


def money(value: Any) -> Decimal:
    return Decimal(str(value or 0))


def test_the_roll_ties_to_the_source_by_sqlite(city: Client, cambridge: Path) -> None:
    _, content = fetched(city, ask(city, "assessment_roll_summary", output_format="json"))
    document = json.loads(content)
    with sqlite3.connect(f"file:{cambridge}?mode=ro", uri=True) as database:
        rows = database.execute(
            "SELECT use_desc, count(*), sum(total_value), sum(prior_total_value) FROM parcels GROUP BY use_desc"
        ).fetchall()
    known = {name or "(none)": rest for name, *rest in rows}
    found = {row["group"]: row for row in document["tables"]["by_property_class"]["rows"]}
    total = found.pop("Total")

    assert Decimal(total["current_value"]) == sum(money(row[1]) for row in known.values()) == Decimal(38358197060)
    assert Decimal(total["prior_value"]) == sum(money(row[2]) for row in known.values())
    assert total["properties"] == sum(row[0] for row in known.values()) == 13_116
    assert set(found) == set(known)
    for name, (count, current, prior) in known.items():
        assert found[name]["properties"] == count
        assert Decimal(found[name]["current_value"]) == money(current)
        assert Decimal(found[name]["prior_value"]) == money(prior)


def test_changes_tie_to_the_source_by_sqlite(city: Client, cambridge: Path) -> None:
    result, _ = fetched(city, ask(city, "value_change", output_format="csv"))
    with sqlite3.connect(f"file:{cambridge}?mode=ro", uri=True) as database:
        count, prior, current = database.execute(
            "SELECT count(*), sum(prior_total_value), sum(total_value) FROM parcels "
            "WHERE prior_total_value > 0 AND total_value IS NOT NULL"
        ).fetchone()
        shares = [
            row[0]
            for row in database.execute(
                "SELECT total_value * 1.0 / prior_total_value - 1 FROM parcels "
                "WHERE prior_total_value > 0 AND total_value IS NOT NULL"
            )
        ]
    summary = result["summary"]

    assert summary["properties_compared"] == count
    assert Decimal(summary["prior_value"]) == money(prior)
    assert Decimal(summary["current_value"]) == money(current)
    assert Decimal(summary["change"]) == money(current) - money(prior)
    assert summary["median_change_percent"] == pytest.approx(100 * float(np.median(shares)), rel=1e-10)
    assert summary["sold_unsold"]["sold"] > 500


def _rows(path: Path, sheet: str) -> list[tuple[Any, ...]]:
    """A read-only workbook reads as it goes and holds its file until it is closed."""
    with closing(openpyxl.load_workbook(path, read_only=True, data_only=True)) as workbook:
        return list(workbook[sheet].values)


@pytest.mark.parametrize("output", ["pdf", "html", "xlsx", "csv", "json"])
def test_the_ratios_of_a_real_county_by_year_in_every_format(
    lucas: Client, source: pd.DataFrame, tmp_path: Path, output: str
) -> None:
    job = ask(lucas, "sales_ratio_study", output_format=output, stratify=["year"], property_type="residential")
    result, content = fetched(lucas, job)
    path = tmp_path / f"lucas.{output}"
    path.write_bytes(content)
    medians = source.groupby("year")["ratio"].median()
    texts = [f"{value:.4f}" for value in medians]
    read: dict[str, Callable[[], list[str]]] = {
        "pdf": lambda: [t for t in texts if t in " ".join(p.extract_text() for p in pypdf.PdfReader(path).pages)],
        "html": lambda: [t for t in texts if t in path.read_text()],
        "xlsx": lambda: [f"{row[3]:.4f}" for row in _rows(path, "Statistics by group") if row[0] == "year"],
        "csv": lambda: [
            f"{float(row['median']):.4f}"
            for row in csv.DictReader(path.read_text().splitlines())
            if row["stratum"] == "year"
        ],
        "json": lambda: [
            f"{row['median']['value']:.4f}"
            for row in json.loads(path.read_text())["tables"]["statistics"]["rows"]
            if row["stratum"] == "year"
        ],
    }

    assert result["summary"]["sales_used"] == len(source) == 25_357
    assert [round(float(t), 3) for t in (texts[0], texts[-1])] == [1.049, 0.837]
    assert read[output]() == texts
