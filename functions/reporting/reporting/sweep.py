"""The report plugin's scheduled sweep: looks after jobs that are silent for too long."""

import os
from functools import cache
from typing import Any

from reporting.plugin import PLUGIN
from terrafusion.deployment import Deployment
from terrafusion.jobs.dispatch import WorkflowDispatcher
from terrafusion.jobs.sweep import Sweep
from terrafusion.logs import configure
from terrafusion.settings import PlatformSettings

logger = configure(PLUGIN.slug)


class SweepSettings(PlatformSettings):
    """The environment of this function."""

    workflow_arn: str


@cache
def sweep() -> Sweep:
    """The plugin's sweep."""
    settings = SweepSettings.read(os.environ)
    here = Deployment(settings, PLUGIN.slug)
    return here.sweep(PLUGIN, WorkflowDispatcher(here.workflows, settings.workflow_arn))


@logger.inject_lambda_context(clear_state=True)
def handler(_event: dict[str, Any], _context: Any) -> dict[str, int]:
    """Look after silent jobs; gives what was done."""
    return sweep().run()
