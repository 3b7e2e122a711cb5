"""The metrics of the plugins that a template deploys, found in their folders."""

import importlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from terrafusion.metrics import CATALOGUE, MetricSpec, catalogue


def metrics_of(code: Iterable[Path]) -> Mapping[str, MetricSpec]:
    """The platform's metrics, and those of every plugin in the functions' folders."""
    specs = dict(CATALOGUE)
    for folder in sorted(set(code)):
        for module in sorted(folder.glob("*/plugin.py")):
            if str(folder) not in sys.path:
                sys.path.append(str(folder))
            plugin = importlib.import_module(f"{module.parent.name}.plugin").PLUGIN
            specs |= {spec.name: spec for spec in (*plugin.metrics.specs, *plugin.samples)}
    return catalogue(specs.values())
