"""The benchmarks' page, section by section: each can be measured alone."""

import datetime as dt
import os
import platform
import re

from tests.bench import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"


def machine() -> str:
    """When and on what it was measured, for a section's text."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"Measured on {dt.datetime.now(dt.UTC):%Y-%m-%d}: {os.cpu_count()} cores, {gigabytes:.0f} GB, "
        f"{platform.system()} {platform.machine()}, Python {platform.python_version()}."
    )


def put_section(title: str, text: str) -> None:
    """Put a section, which begins with its title, in the place of the one of that title, or at the end."""
    page = PAGE.read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(title)}$.*?(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    before, after = (page[: found.start()], page[found.end() :]) if found else (page.rstrip("\n") + "\n\n", "")
    PAGE.write_text(f"{before}{text.rstrip()}\n{chr(10) if after else ''}{after}", encoding="utf-8")
