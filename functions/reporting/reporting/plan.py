"""From a request to a plan: everything that can be refused is refused here, before a job exists."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Any

from reporting.kinds import KINDS, Kind, OutputFormat, ReportType, Stratum
from reporting.models import ReportParameters, ReportRequest
from terrafusion.counties import CountyConfiguration, CountySnapshot
from terrafusion.counties.standard import SERVE, STANDARD_FIELDS, type_of
from terrafusion.errors import FieldError, Impossible
from terrafusion.standards import StandardBook

FILTER_FIELDS = ("property_class", "neighborhood", "zip_code")
STRATUM_FIELDS: Mapping[Stratum, str] = {
    Stratum.PROPERTY_CLASS: "property_class",
    Stratum.NEIGHBORHOOD: "neighborhood",
    Stratum.ZIP_CODE: "zip_code",
    Stratum.AGE: "year_built",
    Stratum.SIZE: "living_area_sqft",
    Stratum.YEAR: "sale_date",
}
"""The field that each grouping needs; groups of value need none."""
DEFAULT_MOVERS = 25
FARTHEST = timedelta(days=1_826)
"""Prices are adjusted to days within five years of the sales: a trend says nothing of times far from its sales."""
COMPUTED = frozenset(
    {
        "sale_price", "sale_date", "assessed_value", "is_valid", "year_built", "living_area_sqft", "last_sale_date",
        "assessed_land_value", "assessed_improvement_value", "current_assessed_value_total",
        "prior_assessed_value_total", "lon", "lat",
    }
)  # fmt: skip
"""Standard fields that reports compute with; others are shown as they are."""


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """A report as accepted, defaults filled in; `parameters` holds only what its type knows."""

    report_type: ReportType
    output_format: OutputFormat
    parameters: ReportParameters

    @property
    def document(self) -> dict[str, Any]:
        """The plan as a job records it."""
        known = KINDS[self.report_type].parameters
        values = self.parameters.model_dump(mode="json")
        kept = {name: value for name, value in values.items() if name in known}
        return {
            "report_type": self.report_type.value,
            "parameters": {"output_format": self.output_format.value, **kept},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ReportPlan":
        """Read a plan back from a job."""
        parameters = ReportParameters.model_validate(document["parameters"])
        return cls(
            ReportType(document["report_type"]), OutputFormat(document["parameters"]["output_format"]), parameters
        )


def plan(request: ReportRequest, snapshot: CountySnapshot, configuration: CountyConfiguration) -> ReportPlan:
    """Check a request against a county's tables and settings.

    Raises
    ------
    Impossible
        Naming the field, what is wrong with it, and what would do.
    """
    kind = KINDS[request.report_type]
    _check_offered(request.report_type, configuration)
    _check_parameters(request.parameters, request.report_type)
    output_format = _format(request.parameters.output_format, request.report_type, configuration)
    _check_tables(snapshot, kind)
    _check_types(snapshot, kind)
    columns = _columns(snapshot, kind)
    _check_fields(request.parameters, columns)
    filled = _with_defaults(request.parameters, kind, configuration, columns)
    _check_standard(filled.standard, configuration)
    _check_value_source(filled.value_source, kind, snapshot)
    _check_adjustment(filled, snapshot)
    if request.report_type is ReportType.PROPERTY_RECORD_CARD and not (filled.property_id or filled.property_ids):
        raise _refuse("parameters.property_id", "Say which property, with property_id or property_ids.")
    return ReportPlan(request.report_type, output_format, filled.model_copy(update={"output_format": output_format}))


def offered(configuration: CountyConfiguration) -> tuple[ReportType, ...]:
    """The types of report that a county offers: those it lists, or all."""
    listed = configuration.reporting.standard_report_types
    return tuple(t for t in ReportType if not listed or t.value in listed)


def _refuse(field: str, message: str) -> Impossible:
    return Impossible(message, [FieldError(field, message)])


def _nearest(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=3)
    return f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(known) or 'none'}."


def _check_offered(report_type: ReportType, configuration: CountyConfiguration) -> None:
    if report_type not in offered(configuration):
        types = ", ".join(offered(configuration))
        raise _refuse("report_type", f"This county does not offer {report_type}. It offers {types}.")


def _check_parameters(parameters: ReportParameters, report_type: ReportType) -> None:
    kind = KINDS[report_type]
    for name in parameters.given:
        if name not in kind.parameters and name != "output_format":
            known = ", ".join(sorted(kind.parameters))
            raise _refuse(f"parameters.{name}", f"'{report_type}' knows no parameter '{name}'. It knows {known}.")


def _format(wanted: OutputFormat | None, report_type: ReportType, configuration: CountyConfiguration) -> OutputFormat:
    kind = KINDS[report_type]
    if wanted is not None and wanted not in kind.formats:
        formats = ", ".join(kind.formats)
        raise _refuse("parameters.output_format", f"'{report_type}' comes as {formats}, not as {wanted}.")
    default = configuration.reporting.default_export_format
    return wanted or next((f for f in kind.formats if f.value == default), kind.formats[0])


def _check_tables(snapshot: CountySnapshot, kind: Kind) -> None:
    for table, fields in kind.fields.items():
        layer = snapshot.layers.get(table)
        if layer is None:
            raise _refuse(
                "county_id",
                f"County '{snapshot.county_id}' has no table '{table}'. Publish one with "
                f"`terrafusion load {snapshot.county_id} {table} FILE`; a file may be loaded as several layers.",
            )
        present = {field.name for field in layer.fields}
        for field in fields:
            if field not in present:
                raise _refuse(
                    "county_id",
                    f"The table '{table}' of county '{snapshot.county_id}' has no field '{field}'. Load it again with "
                    f"--map {field}=COLUMN.",
                )


def _check_types(snapshot: CountySnapshot, kind: Kind) -> None:
    """A standard field that the county so named itself, and nobody mapped, may be text where numbers belong."""
    for table in kind.tables:
        for field in snapshot.layers[table].fields if table in snapshot.layers else ():
            if field.name in COMPUTED & set(STANDARD_FIELDS[table]) and field.type not in SERVE[type_of(field.name)]:
                wanted = type_of(field.name)
                raise _refuse(
                    "county_id",
                    f"The field '{field.name}' of table '{table}' of county '{snapshot.county_id}' is {field.type}, "
                    f"not {wanted}. Load it again with --map {field.name}={field.source_name or field.name}.",
                )


def _columns(snapshot: CountySnapshot, kind: Kind) -> set[str]:
    tables = {*kind.fields, "properties"} & set(snapshot.layers)
    return {field.name for table in tables for field in snapshot.layers[table].fields}


def _check_fields(parameters: ReportParameters, columns: set[str]) -> None:
    for name in FILTER_FIELDS:
        if getattr(parameters, name) is not None and name not in columns:
            raise _refuse(f"parameters.{name}", f"The county's tables have no field '{name}' to select by.")
    for name in ("year", "date_from", "date_to", "time_adjust"):
        if getattr(parameters, name) and "sale_date" not in columns:
            raise _refuse(f"parameters.{name}", "The county's sales have no field 'sale_date' to select by.")
    for stratum in parameters.stratify or ():
        field = STRATUM_FIELDS.get(stratum)
        if field is not None and field not in columns:
            raise _refuse("parameters.stratify", f"The county's tables have no field '{field}' to group by {stratum}.")


def _check_standard(name: str | None, configuration: CountyConfiguration) -> None:
    known = StandardBook.default().with_own(configuration.reporting.standards)
    if name is not None and name not in known:
        raise _refuse("parameters.standard", f"There is no standard '{name}'. {_nearest(name, list(known))}")


def _check_value_source(source: str | None, kind: Kind, snapshot: CountySnapshot) -> None:
    if source is None or "sales" not in kind.fields:
        return
    tables = {"sale": ("sales", "assessed_value"), "roll": ("properties", "current_assessed_value_total")}
    found = {
        name: table in snapshot.layers and field in {f.name for f in snapshot.layers[table].fields}
        for name, (table, field) in tables.items()
    }
    wanted = ["sale", "roll"] if source == "auto" else [source]
    if not any(found[name] for name in wanted):
        needed = " or ".join(f"'{tables[name][1]}' in {tables[name][0]}" for name in wanted)
        raise _refuse("parameters.value_source", f"There is no value to compare sales with: needs {needed}.")


def _check_adjustment(parameters: ReportParameters, snapshot: CountySnapshot) -> None:
    """Refuse a day that no county's sales reach; how far these sales do, only the job sees."""
    if not parameters.adjust_to:
        return
    if not parameters.time_adjust:
        raise _refuse("parameters.adjust_to", "adjust_to needs time_adjust: without it prices stay as they are.")
    published = snapshot.published_at.date()
    latest = published + FARTHEST
    if parameters.adjust_to > latest:
        raise _refuse(
            "parameters.adjust_to",
            f"{parameters.adjust_to} is more than five years after the data were published on {published}: the trend "
            f"of their sales says nothing of it. Name a day up to {latest}.",
        )


def _with_defaults(
    parameters: ReportParameters, kind: Kind, configuration: CountyConfiguration, columns: set[str]
) -> ReportParameters:
    strata = [s for s in Stratum if s not in STRATUM_FIELDS or STRATUM_FIELDS[s] in columns]
    defaults: dict[str, Any] = {
        "standard": configuration.reporting.standard,
        "value_source": "auto",
        "trim_outliers": False,
        "time_adjust": False,
        "stratify": strata,
        "movers": DEFAULT_MOVERS,
    }
    missing = {n: v for n, v in defaults.items() if n in kind.parameters and getattr(parameters, n) is None}
    return parameters.model_copy(update=missing)


def period(parameters: ReportParameters) -> tuple[date | None, date | None]:
    """The first and the last day of the sales that are wanted."""
    first, last = parameters.date_from, parameters.date_to
    if parameters.year is not None:
        start, end = date(parameters.year, 1, 1), date(parameters.year, 12, 31)
        first = max(first, start) if first else start
        last = min(last, end) if last else end
    return first, last
