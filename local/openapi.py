"""Writes the description of the whole API, from every function with an application: `python -m local.openapi`."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from terrafusion import __version__

ROOT = Path(__file__).resolve().parent.parent
MODULES = ("api", "results")
TARGET = ROOT / "functions/counties/counties/openapi.json"
INFO = {
    "title": "TerraFusion",
    "version": __version__,
    "description": "Jobs of county assessor's offices: submit one, follow it, fetch its result.",
}


def describe() -> dict[str, Any]:
    """Merge the applications' descriptions; two that describe a schema differently are an error."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {}
    for module in sorted(path for name in MODULES for path in ROOT.glob(f"functions/*/*/{name}.py")):
        sys.path.insert(0, str(module.parent.parent))
        document = importlib.import_module(f"{module.parent.name}.{module.stem}").app.openapi()
        paths.update(document["paths"])
        for name, schema in document.get("components", {}).get("schemas", {}).items():
            if schemas.setdefault(name, schema) != schema:
                raise ValueError(f"Two plugins describe '{name}' differently; give one of the models another name.")
    for operations in paths.values():
        for operation in operations.values():
            operation["responses"].pop("422", None) if _is_default(operation["responses"].get("422")) else None
    security = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    return {
        "openapi": "3.1.0",
        "info": INFO,
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": dict(sorted(schemas.items())), "securitySchemes": security},
        "security": [{"token": []}],
    }


def _is_default(answer: Any) -> bool:
    return "HTTPValidationError" in json.dumps(answer)


def text() -> str:
    """The description as it is kept."""
    return json.dumps(describe(), indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
