"""The report plugin's scheduled sweep: looks after jobs that are silent for too long."""

from typing import Any

from reporting.deployed import deployment
from reporting.plugin import PLUGIN
from terrafusion.logs import configure

logger = configure(PLUGIN.slug)


@logger.inject_lambda_context(clear_state=True)
def handler(_event: dict[str, Any], _context: Any) -> dict[str, int]:
    """Look after silent jobs; gives what was done."""
    return deployment().sweep(PLUGIN, deployment().workflow).run()
