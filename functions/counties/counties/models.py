"""What clients see of a county."""

from datetime import datetime

from pydantic import BaseModel

from terrafusion.counties import CountySnapshot, LayerManifest
from terrafusion.counties.manifest import Box


class FieldInfo(BaseModel):
    """A column."""

    name: str
    type: str
    source_name: str | None


class LayerInfo(BaseModel):
    """A layer; `bbox` in EPSG:4326."""

    name: str
    kind: str
    version: str
    geometry_type: str | None
    crs: str | None
    bbox: Box | None
    count: int
    key: str | None
    fields: list[FieldInfo]

    @classmethod
    def of(cls, layer: LayerManifest) -> "LayerInfo":
        """The public part of a manifest."""
        fields = [FieldInfo(name=f.name, type=f.type, source_name=f.source_name) for f in layer.fields]
        return cls(
            name=layer.layer,
            kind=layer.kind,
            version=layer.version,
            geometry_type=layer.geometry_type,
            crs=layer.crs,
            bbox=layer.bbox,
            count=layer.count,
            key=layer.key,
            fields=fields,
        )


class CountyInfo(BaseModel):
    """A county's current snapshot."""

    county_id: str
    name: str | None
    dataset_version: str
    published_at: datetime
    bbox: Box | None
    layers: list[LayerInfo]

    @classmethod
    def of(cls, snapshot: CountySnapshot, name: str | None) -> "CountyInfo":
        """Describe a snapshot."""
        return cls(
            county_id=snapshot.county_id,
            name=name,
            dataset_version=snapshot.version,
            published_at=snapshot.published_at,
            bbox=snapshot.bbox,
            layers=[LayerInfo.of(layer) for layer in snapshot.layers.values()],
        )


class Counties(BaseModel):
    """The counties of a caller."""

    items: list[CountyInfo]
