"""What the platform must know of this plugin."""

from terrafusion.metrics import FILE_SIZE_KB, GIS_EXPORT, RECORD_COUNT
from terrafusion.plugins import Plugin

PLUGIN = Plugin(
    slug="gis-export", title="GIS export", metrics=GIS_EXPORT, samples=(FILE_SIZE_KB, RECORD_COUNT), tells_queue=True
)
"""Runs under `execute_gis_export`; its metrics are told apart by `export_format`."""
