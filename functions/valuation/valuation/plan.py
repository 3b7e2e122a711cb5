"""From a request to a plan: everything that can be refused is refused here, before a job exists."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from terrafusion.counties import CountyConfiguration, CountySnapshot
from terrafusion.errors import FieldError, Impossible
from terrafusion.filters import FilterError, check, read
from valuation.approaches import Approach
from valuation.models import Mode, RollFormat, ValuationRequest

TABLES = {"properties": "what is to be valued", "sales": "what values are learned from"}
EARLIEST = date(1900, 1, 1)
YEARS_AHEAD = 5


@dataclass(frozen=True, slots=True)
class ValuationPlan:
    """A valuation as accepted; `filter` is CQL2-JSON, `day` None for that of the last sale."""

    mode: Mode
    property_id: str | None
    property_ids: tuple[str, ...] | None
    filter: dict[str, Any] | None
    method: Approach
    day: date | None
    report: bool
    output_format: RollFormat

    @property
    def document(self) -> dict[str, Any]:
        """The plan as a job records it, defaults filled in."""
        return {
            "mode": self.mode.value,
            "property_id": self.property_id,
            "property_ids": list(self.property_ids) if self.property_ids is not None else None,
            "filter": self.filter,
            "valuation_method_hint": self.method.value,
            "valuation_date": self.day.isoformat() if self.day else None,
            "parameters": {"report": self.report, "output_format": self.output_format.value},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "ValuationPlan":
        """Read a plan back from a job."""
        ids, day = document["property_ids"], document["valuation_date"]
        return cls(
            mode=Mode(document["mode"]),
            property_id=document["property_id"],
            property_ids=tuple(ids) if ids is not None else None,
            filter=document["filter"],
            method=Approach(document["valuation_method_hint"]),
            day=date.fromisoformat(day) if day else None,
            report=document["parameters"]["report"],
            output_format=RollFormat(document["parameters"]["output_format"]),
        )

    @property
    def by_workflow(self) -> bool:
        """Whether the job is a long one."""
        return self.mode is not Mode.PROPERTY or self.report


def plan(
    request: ValuationRequest, snapshot: CountySnapshot, configuration: CountyConfiguration, today: date
) -> ValuationPlan:
    """Check a request against a county's data and settings.

    Raises
    ------
    Impossible
        Naming what is wrong with it, and what would do.
    """
    _check_members(request)
    _check_tables(snapshot)
    _check_day(request.valuation_date, today)
    ids = request.property_ids
    return ValuationPlan(
        mode=request.mode,
        property_id=request.property_id,
        property_ids=tuple(dict.fromkeys(ids)) if ids is not None else None,
        filter=_filter(request.filter, snapshot),
        method=request.valuation_method_hint or Approach(configuration.valuation.default_method),
        day=request.valuation_date,
        report=request.parameters.report,
        output_format=request.parameters.output_format,
    )


def _check_members(request: ValuationRequest) -> None:
    if request.mode is Mode.PROPERTY and request.property_id is None:
        raise _refuse("property_id", "Mode 'property' needs a property_id.")
    unwanted = {
        "property_id": request.mode is not Mode.PROPERTY and request.property_id is not None,
        "property_ids": request.mode is not Mode.BATCH and request.property_ids is not None,
        "filter": request.mode is not Mode.BATCH and request.filter is not None,
        "parameters.report": request.mode is not Mode.PROPERTY and request.parameters.report,
    }
    for field, wrong in unwanted.items():
        if wrong:
            raise _refuse(field, f"'{field}' does not go with mode '{request.mode}'.")
    if request.property_ids is not None and request.filter is not None:
        raise _refuse("filter", "Give property_ids or a filter, not both.")


def _check_tables(snapshot: CountySnapshot) -> None:
    for name, purpose in TABLES.items():
        layer = snapshot.layers.get(name)
        if layer is None or layer.file("data.parquet") is None:
            raise Impossible(
                f"County '{snapshot.county_id}' has no table '{name}' ({purpose}); publish one with "
                f"`terrafusion load {snapshot.county_id} {name} FILE`."
            )


def _check_day(day: date | None, today: date) -> None:
    latest = today + timedelta(days=365 * YEARS_AHEAD)
    if day is not None and not EARLIEST <= day <= latest:
        message = f"The valuation date must be from {EARLIEST} to {latest} ({YEARS_AHEAD} years ahead), not {day}."
        raise Impossible(message, [FieldError("valuation_date", message)])


def _filter(wanted: str | dict[str, Any] | None, snapshot: CountySnapshot) -> dict[str, Any] | None:
    if wanted is None:
        return None
    try:
        tree = read(wanted)
        check(tree, snapshot.layers["properties"].fields)
    except FilterError as error:
        raise Impossible(str(error), [FieldError("filter", str(error))]) from error
    return tree


def _refuse(field: str, message: str) -> Impossible:
    return Impossible(message, [FieldError(field, message)])
