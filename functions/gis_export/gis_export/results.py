"""The export plugin's results and downloads, and their Lambda entry: its role signs the links, and may only read."""

from mangum import Mangum

from gis_export.deployed import deployment
from gis_export.plugin import PLUGIN
from gis_export.sight import require_sight
from terrafusion.http import ResultRoutes, create_app
from terrafusion.logs import configure

app = create_app(PLUGIN.title, PLUGIN.slug)
app.include_router(ResultRoutes(PLUGIN, deployment, require_sight).router)

logger = configure(PLUGIN.slug)
handler = logger.inject_lambda_context(clear_state=True)(Mangum(app, lifespan="off"))
