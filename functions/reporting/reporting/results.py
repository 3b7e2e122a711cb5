"""The report plugin's results and downloads, and their Lambda entry: its role signs the links, and may only read."""

from mangum import Mangum

from reporting.deployed import deployment
from reporting.plugin import PLUGIN
from terrafusion.http import ResultRoutes, create_app
from terrafusion.logs import configure

app = create_app(PLUGIN.title, PLUGIN.slug)
app.include_router(ResultRoutes(PLUGIN, deployment).router)

logger = configure(PLUGIN.slug)
handler = logger.inject_lambda_context(clear_state=True)(Mangum(app, lifespan="off"))
