"""What the platform must know of this plugin."""

from terrafusion.metrics import REPORT
from terrafusion.plugins import Plugin

PLUGIN = Plugin(slug="reporting", title="Report", metrics=REPORT, members=lambda job: {"report_id": job.job_id})
"""Runs under `execute_reporting`; its metrics are told apart by `report_type`."""
