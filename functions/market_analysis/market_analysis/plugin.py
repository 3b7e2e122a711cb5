"""What the platform must know of this plugin."""

from terrafusion.metrics import MARKET_ANALYSIS
from terrafusion.plugins import Plugin

PLUGIN = Plugin(slug="market-analysis", title="market analysis", metrics=MARKET_ANALYSIS)
"""Runs under `execute_market_analysis`; its metrics are told apart by `analysis_type`."""
