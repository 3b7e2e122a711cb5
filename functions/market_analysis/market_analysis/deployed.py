"""The resources of this deployment, for every entry of the plugin's."""

import os
from datetime import timedelta
from functools import cache

from market_analysis.plugin import PLUGIN
from terrafusion.deployment import Deployment
from terrafusion.jobs.dispatch import QueueDispatcher
from terrafusion.settings import PlatformSettings


class QueueSettings(PlatformSettings):
    """The environment of the functions that send messages."""

    queue_url: str = ""
    redelivery_seconds: int = 0


@cache
def deployment() -> Deployment:
    """The resources of this deployment."""
    return Deployment(QueueSettings.read(os.environ), PLUGIN.slug)


def dispatcher() -> QueueDispatcher:
    """The plugin's queue."""
    settings = QueueSettings.read(os.environ)
    return QueueDispatcher(deployment().queues, settings.queue_url, timedelta(seconds=settings.redelivery_seconds))
