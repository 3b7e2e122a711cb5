"""What an export tells of, and so whom it must not be shown to."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gis_export.plan import ExportPlan
from gis_export.sight import HIDDEN
from terrafusion.counties import CountySnapshot, GisExportConfiguration


def hidden_by_role(
    plan: ExportPlan, snapshot: CountySnapshot, settings: GisExportConfiguration
) -> dict[str, dict[str, list[str]]]:
    """What a job records of the fields that it tells of: those that each role may not see, by the roles' names."""
    told = set(_told(plan, snapshot))
    return {HIDDEN: {role: sorted(told & set(fields)) for role, fields in settings.redacted_fields.items()}}


def _told(plan: ExportPlan, snapshot: CountySnapshot) -> Iterator[str]:
    """The columns of the file, and those that its rows were chosen by."""
    for name in plan.layers:
        hidden = plan.redacted.get(name, ())
        if plan.attributes is None:
            yield from (field.name for field in snapshot.layers[name].fields if field.name not in hidden)
        else:
            yield from plan.attributes[name]
        yield from plan.joined.get(name, ())
        yield from _asked(plan.filters.get(name, {}))


def _asked(part: Any) -> Iterator[str]:
    """The properties that a condition in CQL2-JSON names."""
    if isinstance(part, Mapping):
        if isinstance(part.get("property"), str):
            yield part["property"]
        for value in part.values():
            yield from _asked(value)
    elif isinstance(part, Sequence) and not isinstance(part, str):
        for value in part:
            yield from _asked(value)
