"""Counties: immutable, versioned snapshots of their data, and their configuration."""

from terrafusion.counties.catalogue import Catalogue
from terrafusion.counties.configuration import CountyConfiguration, GisExportConfiguration
from terrafusion.counties.manifest import (
    CountySnapshot,
    Field,
    FieldType,
    FileEntry,
    LayerKind,
    LayerManifest,
    Quality,
    Source,
    Values,
)

__all__ = [
    "Catalogue",
    "CountyConfiguration",
    "CountySnapshot",
    "Field",
    "FieldType",
    "FileEntry",
    "GisExportConfiguration",
    "LayerKind",
    "LayerManifest",
    "Quality",
    "Source",
    "Values",
]
