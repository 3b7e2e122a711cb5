"""The scheduled sweep: looks after jobs that are silent for too long."""

from typing import Any

from layer_digest.deployed import deployment
from layer_digest.plugin import PLUGIN
from terrafusion.logs import configure

logger = configure(PLUGIN.slug)


@logger.inject_lambda_context(clear_state=True)
def handler(_event: dict[str, Any], _context: Any) -> dict[str, int]:
    """Look after silent jobs; gives what was done."""
    return deployment().sweep(PLUGIN, deployment().queue).run()
