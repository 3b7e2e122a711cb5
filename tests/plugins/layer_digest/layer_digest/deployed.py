"""The resources of this deployment, for every entry of the plugin's."""

from functools import cache

from layer_digest.plugin import PLUGIN
from terrafusion.deployment import Deployment


@cache
def deployment() -> Deployment:
    """The resources of this deployment."""
    return Deployment.here(PLUGIN.slug)
