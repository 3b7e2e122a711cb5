"""What the platform must know of this plugin."""

from terrafusion.metrics import GIS_EXPORT
from terrafusion.plugins import Plugin

PLUGIN = Plugin(slug="gis-export", title="GIS export", metrics=GIS_EXPORT)
"""Runs under `execute_gis_export`; its metrics are told apart by `export_format`."""
