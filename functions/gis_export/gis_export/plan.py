"""An export as accepted: what a job records, and its worker reads back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gis_export.area import Area, parse
from gis_export.formats import ExportFormat
from gis_export.selection import Predicate
from gis_export.stages import Shape
from terrafusion.jobs.model import Job


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """An export as accepted.

    `crs` is an authority code or WKT, `attributes` the columns by layer, None for all, `filters` CQL2-JSON by layer,
    `redacted` the columns that the caller may not see, `joined` the value fields that the properties bring,
    `unjoined` what of them could not be, in words, `since` the dataset version whose changes are wanted,
    `features_per_part` how many features a file holds at most.
    """

    export_format: ExportFormat
    layers: tuple[str, ...]
    area: Area | None
    predicate: Predicate
    crs: str
    attributes: Mapping[str, tuple[str, ...]] | None
    filters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    shape: Shape = field(default_factory=Shape)
    redacted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bundle: bool = False
    all_or_nothing: bool = False
    joined: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unjoined: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    since: str | None = None
    callback_url: str | None = None
    features_per_part: int | None = None

    @property
    def passes(self) -> int:
        """How many passes over a layer come before the one that writes it."""
        asked = self.area is not None and self.predicate is not Predicate.INTERSECTS
        return int(asked) + bool(self.joined) + 2 * bool(self.since) + self.shape.passes

    @property
    def document(self) -> dict[str, Any]:
        """The request as a job records it, defaults filled in."""
        clips = self.predicate is Predicate.CLIP
        return {
            "export_format": self.export_format.value,
            "layers": list(self.layers),
            "area_of_interest": self.area.geojson if self.area else None,
            "parameters": {
                "spatial_predicate": Predicate.INTERSECTS if clips else self.predicate.value,
                "clip": clips,
                "filter": {name: dict(tree) for name, tree in self.filters.items()} or None,
                "coordinate_system": self.crs,
                "simplify_tolerance": self.shape.tolerance,
                "precision": self.shape.precision,
                "make_valid": self.shape.make_valid,
                "attributes": {k: list(v) for k, v in self.attributes.items()} if self.attributes else None,
                "bundle": self.bundle,
                "all_or_nothing": self.all_or_nothing,
                "since": self.since,
                "callback_url": self.callback_url,
                "features_per_part": self.features_per_part,
                "include_assessment_data": bool(self.joined or self.unjoined),
                "include_attributes": self.attributes is None or any(self.attributes.values()),
            },
        }

    @property
    def decided(self) -> dict[str, Any]:
        """What the county's fields and the caller's roles added, by layer."""
        return {
            "assessment_fields": {k: list(v) for k, v in self.joined.items()},
            "assessment_notes": {k: list(v) for k, v in self.unjoined.items()},
            "redacted_fields": {k: list(v) for k, v in self.redacted.items()},
        }

    @classmethod
    def of(cls, job: Job) -> "ExportPlan":
        """Read a plan back from a job."""
        document, parameters = job.parameters, job.parameters["parameters"]
        attributes = parameters["attributes"]
        return cls(
            export_format=ExportFormat(document["export_format"]),
            layers=tuple(document["layers"]),
            area=parse(document["area_of_interest"]) if document["area_of_interest"] else None,
            predicate=Predicate.CLIP if parameters["clip"] else Predicate(parameters["spatial_predicate"]),
            crs=parameters["coordinate_system"],
            attributes={k: tuple(v) for k, v in attributes.items()} if attributes else None,
            filters=parameters["filter"] or {},
            redacted={k: tuple(v) for k, v in job.decided["redacted_fields"].items()},
            joined={k: tuple(v) for k, v in job.decided["assessment_fields"].items()},
            unjoined={k: tuple(v) for k, v in job.decided.get("assessment_notes", {}).items()},
            since=parameters["since"],
            callback_url=parameters["callback_url"],
            features_per_part=parameters.get("features_per_part"),
            bundle=parameters["bundle"],
            all_or_nothing=parameters["all_or_nothing"],
            shape=Shape(parameters["simplify_tolerance"], parameters["precision"], parameters["make_valid"]),
        )
