"""`python -m local.monitoring`: writes everything that watches, from what there is to watch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from local.monitoring.alerts import alert_rules
from local.monitoring.grafana_dashboard import grafana_dashboard
from local.monitoring.recording import recording_rules
from local.monitoring.section import with_section
from local.plugins import plugins_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WRITTEN = "# Written by `make monitoring`; change local/monitoring/*.py instead.\n"


def documents(root: Path = ROOT) -> Mapping[Path, str]:
    """What belongs into each file."""
    plugins = plugins_of(root.glob("functions/*"))
    template = root / "template.yaml"
    return {
        template: with_section(template, {folder.name: plugin for folder, plugin in plugins.items()}),
        HERE / "recording.rules.yml": _yaml(recording_rules(plugins.values())),
        HERE / "alerts.rules.yml": _yaml(alert_rules()),
        HERE / "grafana" / "terrafusion.json": json.dumps(grafana_dashboard(), indent=2) + "\n",
    }


def _yaml(document: Mapping[str, Any]) -> str:
    return WRITTEN + yaml.safe_dump(document, sort_keys=False, width=1000)


def main() -> None:
    """Write them."""
    for path, text in documents().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
