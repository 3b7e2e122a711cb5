"""Checks which package may import which, with import-linter; plugins are found, not listed."""

import configparser
import sys
from pathlib import Path

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).resolve().parent.parent
ENTRIES = ("api", "results", "worker", "closer", "sweep", "handler")
HEAVY = ("boto3", "botocore", "fastapi", "starlette", "mangum")


def contracts(plugins: list[str]) -> configparser.ConfigParser:
    """The rules: entry points → domain → platform; plugins apart; nothing deployed imports what is local."""
    config = configparser.ConfigParser()
    config["importlinter"] = {
        "root_packages": "\n" + "\n".join(["terrafusion", "local", "cli", *plugins]),
        "include_external_packages": "True",
    }
    config["importlinter:contract:deployed"] = {
        "name": "Nothing deployed imports the local cloud or the command",
        "type": "forbidden",
        "source_modules": "\n" + "\n".join(["terrafusion", *plugins]),
        "forbidden_modules": "\nlocal\ncli",
    }
    config["importlinter:contract:platform"] = {
        "name": "The platform imports no plugin",
        "type": "forbidden",
        "source_modules": "\nterrafusion",
        "forbidden_modules": "\n" + "\n".join(plugins),
    }
    config["importlinter:contract:apart"] = {
        "name": "No plugin imports another",
        "type": "independence",
        "modules": "\n" + "\n".join(plugins),
    }
    domain = [
        f"{path.parent.name}.{path.stem}"
        for path in sorted(ROOT.glob("functions/*/*/*.py"))
        if path.stem not in {*ENTRIES, "__init__"}
    ]
    config["importlinter:contract:domain"] = {
        "name": "Domain code imports neither AWS nor HTTP",
        "type": "forbidden",
        "source_modules": "\n" + "\n".join(domain),
        "forbidden_modules": "\n" + "\n".join(HEAVY),
        "allow_indirect_imports": "True",
    }
    return config


def main() -> int:
    """Write the rules, check them, give the exit status."""
    plugins = sorted(path.parent.name for path in ROOT.glob("functions/*/*/__init__.py"))
    for plugin in plugins:
        sys.path.insert(0, str(ROOT / "functions" / plugin))
    target = ROOT / "build" / "import_rules.ini"
    target.parent.mkdir(exist_ok=True)
    with target.open("w", encoding="utf-8") as file:
        contracts(plugins).write(file)
    return lint_imports(config_filename=str(target), no_cache=True)


if __name__ == "__main__":
    sys.exit(0 if main() == EXIT_STATUS_SUCCESS else 1)
