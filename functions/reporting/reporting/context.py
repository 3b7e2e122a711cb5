"""What a report is made from: the county's tables, its settings, the plan, and what must be stated of them."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from reporting.content import Facts, Section, Text
from reporting.kinds import KINDS
from reporting.plan import ReportPlan
from terrafusion import __version__
from terrafusion.counties import CountyConfiguration, CountySnapshot
from terrafusion.flatgeobuf import FlatGeobuf
from terrafusion.standards import Standard, StandardBook


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that a report is made from.

    `made` is the day of the request, not of the work, so that the same job gives the same bytes. `maps` are the map
    layers that pictures need, where the county has them.
    """

    plan: ReportPlan
    snapshot: CountySnapshot
    configuration: CountyConfiguration
    database: duckdb.DuckDBPyConnection
    maps: Mapping[str, FlatGeobuf]
    made: date
    progress: Callable[[float, str], None]

    @property
    def title(self) -> str:
        """The report's title."""
        return KINDS[self.plan.report_type].title

    @property
    def county(self) -> str:
        """The county's name."""
        return self.configuration.name or f"County {self.snapshot.county_id}"

    @property
    def standard(self) -> Standard:
        """The standard that studies are judged by."""
        name = self.plan.parameters.standard or self.configuration.reporting.standard
        return StandardBook.default().with_own(self.configuration.reporting.standards)[name]

    @property
    def confidence(self) -> float:
        """The level of intervals."""
        return self.plan.parameters.confidence or self.standard.confidence

    def sources(self) -> list[dict[str, Any]]:
        """The layers that a report of this type is made of."""
        names = {*KINDS[self.plan.report_type].tables, *self.maps}
        return [
            {
                "layer": name,
                "version": layer.version,
                "rows": layer.count,
                "file": layer.source.name,
                "sha256": layer.source.sha256,
            }
            for name, layer in self.snapshot.layers.items()
            if name in names
        ]

    def stated(self) -> dict[str, Any]:
        """What makes the report anew: data, parameters, software."""
        return {
            "county_id": self.snapshot.county_id,
            "dataset_version": self.snapshot.version,
            "sources": self.sources(),
            "request": self.plan.document,
            "configuration_sha256": self.settings_digest(),
            "software": {"terrafusion": __version__, "duckdb": duckdb.__version__},
        }

    def settings_digest(self) -> str:
        """SHA-256 of the county's settings for reports, which are no part of the dataset's version."""
        return hashlib.sha256(self.configuration.reporting.model_dump_json().encode()).hexdigest()

    def line(self) -> str:
        """The same in a line, for the foot of each page."""
        return f"Dataset {self.snapshot.version}, TerraFusion {__version__}"

    def section(self, counts: Sequence[tuple[str, str]], notes: Sequence[str] = ()) -> Section:
        """The part of a report that states its inputs."""
        given = {n: v for n, v in self.plan.document["parameters"].items() if v is not None}
        data = [
            (f"Layer {s['layer']}", f"{s['rows']:,} rows of {s['file']}, version {s['version']}, SHA-256 {s['sha256']}")
            for s in self.sources()
        ]
        software = f"TerraFusion {__version__}, DuckDB {duckdb.__version__}"
        facts: list[tuple[str, str]] = [
            ("County", self.snapshot.county_id),
            ("Dataset version", self.snapshot.version),
            *data,
            ("Parameters", "; ".join(f"{name} = {_plain(value)}" for name, value in given.items())),
            ("County's settings", f"SHA-256 {self.settings_digest()}"),
            *counts,
            ("Software", software),
        ]
        why = "The same dataset version, parameters, settings and software give the same bytes again, but for the date."
        return Section("Inputs", [Facts("inputs", "What this report was made from", facts), *map(Text, [*notes, why])])


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
