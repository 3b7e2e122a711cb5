"""The report plugin's results and downloads, and their Lambda entry: its role signs the links, and may only read."""

import os
from functools import cache

from mangum import Mangum

from reporting.plugin import PLUGIN
from terrafusion.deployment import Deployment
from terrafusion.http import ResultRoutes, create_app
from terrafusion.logs import configure
from terrafusion.settings import PlatformSettings


@cache
def deployment() -> Deployment:
    """The resources of this deployment."""
    return Deployment(PlatformSettings.read(os.environ), PLUGIN.slug)


app = create_app(PLUGIN.title, PLUGIN.slug)
app.include_router(ResultRoutes(PLUGIN, deployment).router)

logger = configure(PLUGIN.slug)
handler = logger.inject_lambda_context(clear_state=True)(Mangum(app, lifespan="off"))
