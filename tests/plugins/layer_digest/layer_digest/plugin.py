"""What the platform must know of this plugin."""

from terrafusion.metrics import JobMetrics
from terrafusion.plugins import Plugin

PLUGIN = Plugin(
    slug="layer-digest",
    title="layer digest",
    metrics=JobMetrics.of("layer_digest", "layer digest", None, (0.1, 1, 10)),
)
