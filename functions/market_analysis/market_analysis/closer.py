"""The consumer of the dead-letter queue: ends the jobs of messages that were delivered too often."""

from typing import Any

from market_analysis.deployed import deployment
from market_analysis.plugin import PLUGIN
from terrafusion.logs import configure

logger = configure(PLUGIN.slug)


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """End the jobs of a batch; gives the messages that stay."""
    return deployment().dead_letters(PLUGIN).close(event)
