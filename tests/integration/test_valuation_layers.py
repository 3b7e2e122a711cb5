"""Each entry of the valuation plugin imports only what its layers have."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

TABLES = ("numpy", "duckdb")
ANALYTICS = ("scipy", "lightgbm")
DOCUMENTS = ("typst", "resvg_py", "xlsxwriter", "jinja2")
NOWHERE = ("pandas", "pyarrow", "sklearn", "pyogrio", "shapely", "pyproj", "geopandas", "arro3", "moto", "local", "cli")
WEB_ALONE = (*TABLES, *ANALYTICS, *DOCUMENTS, *NOWHERE)

PROGRAM = """
import os, sys
for name in sys.argv[2].split(","):
    sys.modules[name] = None
os.environ.update(STAGE="local", JOBS_TABLE="j", AUDIT_TABLE="a", DATA_BUCKET="d", RESULTS_BUCKET="r")
__import__(f"valuation.{sys.argv[1]}")
for used in sys.argv[3].split(","):
    __import__(used) if used else None
"""


@pytest.mark.parametrize(
    ("entry", "blocked", "used"),
    [
        ("api", WEB_ALONE, ""),
        ("results", (*WEB_ALONE, "cql2"), ""),
        ("closer", (*WEB_ALONE, "cql2"), ""),
        ("sweep", (*WEB_ALONE, "cql2"), ""),
        ("worker", (*DOCUMENTS, *NOWHERE, "cql2"), "valuation.training,valuation.appraisal,valuation.card"),
        ("steps", (*DOCUMENTS, *NOWHERE, "cql2"), "valuation.batch,valuation.card"),
        ("pages", (*TABLES, *ANALYTICS, *NOWHERE, "cql2"), "valuation.packet,valuation.card_pages"),
    ],
)
def test_an_entry_does_with_its_layers(entry: str, blocked: tuple[str, ...], used: str) -> None:
    paths = [str(ROOT / "functions/valuation"), str(ROOT / "shared")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, entry, ",".join(blocked), used],
        env={"PYTHONPATH": ":".join(paths), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
