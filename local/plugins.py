"""The plugins that a template deploys, found in their folders, and their metrics."""

import importlib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from terrafusion.metrics import CATALOGUE, MetricSpec, catalogue
from terrafusion.plugins import Plugin


def plugins_of(code: Iterable[Path]) -> Mapping[Path, Plugin]:
    """The plugin of each of the functions' folders that has one."""
    found = {}
    for folder in sorted({path.resolve() for path in code}):
        for module in sorted(folder.glob("*/plugin.py")):
            if str(folder) not in sys.path:
                sys.path.append(str(folder))
            found[folder] = importlib.import_module(f"{module.parent.name}.plugin").PLUGIN
    return found


def metrics_of(code: Iterable[Path]) -> Mapping[str, MetricSpec]:
    """The platform's metrics, and those of every plugin in the functions' folders."""
    specs = dict(CATALOGUE)
    for plugin in plugins_of(code).values():
        specs |= {spec.name: spec for spec in (*plugin.metrics.specs, *plugin.samples)}
    return catalogue(specs.values())
