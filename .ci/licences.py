"""Checks that everything we import, and all that it brings along, has a permissive licence; prints the table.

Read from the installed packages' own metadata: the closure of the project's dependencies, without the tools of
development, which are run and not imported.
"""

import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent

PERMISSIVE = re.compile(
    r"\b(MIT|MIT-0|MIT-CMU|BSD|0BSD|[23][- ]Clause|Apache|ISC|PSF|Python Software Foundation|Zlib|Unlicense|HPND)\b",
    re.IGNORECASE,
)
COPYLEFT = re.compile(r"\b(A?GPL|LGPL|GNU|EUPL|SSPL|CC-BY-SA|CC-BY-NC|Commons Clause)\b", re.IGNORECASE)
REVIEWED: Mapping[str, tuple[str, str]] = {
    "certifi": ("Mozilla Public License 2.0", "Mozilla's list of authorities: data, used as it is"),
    "resvg-py": ("unknown", "its metadata say nothing; its LICENSE file is MIT's"),
}
"""Licences that are not permissive, and why they may be: package, licence, reason."""


def closure(names: Iterable[str]) -> dict[str, Distribution]:
    """The named packages and all that they need here, by name."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement(name) for name in names]
    while waiting:
        requirement = waiting.pop()
        name = requirement.name.lower().replace("_", "-")
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        if name in found and not requirement.extras:
            continue
        try:
            package = found[name] = distribution(name)
        except PackageNotFoundError:
            sys.exit(f"{name} is not installed: run `make setup`")
        for text in package.requires or ():
            inner = Requirement(text)
            extras = {"", *requirement.extras}
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                inner.marker = None
                waiting.append(inner)
    return found


def licence_of(package: Distribution) -> str:
    """What a package says of its licence: the expression, the classifiers, or the field's first line."""
    metadata = package.metadata
    expression = metadata.get("License-Expression")
    if expression:
        return str(expression)
    classifiers = [c.rsplit(" :: ", 1)[1] for c in metadata.get_all("Classifier", []) if c.startswith("License ::")]
    named = [c for c in classifiers if c != "OSI Approved"]
    return ", ".join(named) or str(metadata.get("License") or "unknown").strip().split("\n")[0]


def judge(name: str, licence: str) -> str | None:
    """Why a licence is refused; None when it is permissive, or was looked at."""
    if name in REVIEWED and REVIEWED[name][0] in licence:
        return None
    if COPYLEFT.search(licence):
        return "copyleft"
    return None if PERMISSIVE.search(licence) else "not known to be permissive"


def main() -> int:
    """Print the table; 1 when a licence is refused."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    refused = []
    for name, package in sorted(closure(project["dependencies"]).items()):
        licence = licence_of(package)
        reason = judge(name, licence)
        remark = REVIEWED.get(name, ("", ""))[1]
        print(f"{name:<32} {package.version:<14} {licence[:60]}{f'  ({remark})' if remark else ''}")
        if reason:
            refused.append(f"{name} {package.version}: {licence}: {reason}")
    for line in refused:
        print(f"refused: {line}", file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
