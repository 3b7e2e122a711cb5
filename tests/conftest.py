"""What all rings of tests share: plugins on the path, the real counties when they are at hand."""

import shutil
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

for package in sorted(ROOT.glob("functions/*")):
    sys.path.insert(0, str(package))


# machines are shared: what took a quarter of a second once may take a second the next time
hypothesis.settings.register_profile("patient", parent=hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("terrafusion")
    group.addoption("--api", help="base URL of the deployment to test; default: a local cloud of the suite's own")
    group.addoption("--sam", action="store_true", help="test what `make build` made, in SAM's containers")
    group.addoption("--token-command", help="prints a token; {role} and {county} are filled in")
    group.addoption("--county", default="sample", help="a county that holds what the sample county holds")


def real_data(name: str) -> Path:
    """A file of real county data that lies beside the checkout; skips where it does not."""
    path = SHARED / "data" / name
    if not path.exists():
        pytest.skip(f"the real county file {name} is not beside this checkout (../shared/data)")
    return path


def ogrinfo(*arguments: str) -> str:
    """What Debian's or anybody's `ogrinfo` prints; skips where there is none."""
    if shutil.which("ogrinfo") is None:
        pytest.skip("ogrinfo is not installed (Debian: gdal-bin)")
    return subprocess.run(["ogrinfo", *arguments], capture_output=True, text=True, check=True).stdout


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # it ended before, or while, it was looked at
        return False


@pytest.fixture(scope="session")
def cambridge() -> Path:
    """13,116 parcels of Cambridge, Massachusetts, with 37 invalid polygons and 80 duplicate keys."""
    return real_data("cambridge_ma_parcels.gpkg")


@pytest.fixture(scope="session")
def lucas_sales() -> Path:
    """25,357 house sales of Lucas County, Ohio."""
    return real_data("lucas_oh_sales.csv")
