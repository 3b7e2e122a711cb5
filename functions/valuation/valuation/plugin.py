"""What the platform must know of this plugin."""

from terrafusion.metrics import VALUATION
from terrafusion.plugins import Plugin

PLUGIN = Plugin(
    slug="valuation",
    title="valuation",
    metrics=VALUATION,
    members=lambda job: {"property_id": job.parameters.get("property_id")},
)
"""Runs under `execute_valuation`; its status documents name the property."""
