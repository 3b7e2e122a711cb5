"""The valuation plugin's results and downloads, and their Lambda entry: its role signs links, and may only read."""

from mangum import Mangum

from terrafusion.http import ResultRoutes, create_app
from terrafusion.logs import configure
from valuation.deployed import deployment
from valuation.plugin import PLUGIN

app = create_app(PLUGIN.title, PLUGIN.slug)
app.include_router(ResultRoutes(PLUGIN, deployment).router)

logger = configure(PLUGIN.slug)
handler = logger.inject_lambda_context(clear_state=True)(Mangum(app, lifespan="off"))
