"""The section of the template that watches: alarms, the one that sums up the less pressing, the dashboard."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.intrinsics import load_yaml
from local.monitoring.alarms import TOLD, Resources, alarms, units_of
from local.monitoring.cloudformation import lines_of, sub
from local.monitoring.cloudwatch_dashboard import dashboard_body
from terrafusion.plugins import Plugin

TITLE = "alarms and dashboard, written by `make monitoring`"
BEGIN = f"  # ---------------------------------------------------------------- {TITLE}\n"
END = re.compile(r"^  # -{20,} ", re.MULTILINE)
SUMMARY = "TicketAlarm"
"""Tells of all alarms that do not tell by themselves: a mail for the first, and none for what comes beside it."""


class NoSection(ValueError):
    """The template has no place for the section."""


def with_section(template: Path, plugins: Mapping[str, Plugin]) -> str:
    """The template's text, with its section written again.

    Parameters
    ----------
    plugins
        By their folder's name.

    Raises
    ------
    NoSection
    """
    text = template.read_text(encoding="utf-8")
    before, mark, rest = text.partition(BEGIN)
    after = END.search(rest)
    if not mark or after is None:
        raise NoSection(f"{template} has no section '{TITLE}' with another behind it")
    section = lines_of(watching(load_yaml(template), plugins))
    return f"{before}{BEGIN}{section}\n{rest[after.start() :]}"


def watching(template: Mapping[str, Any], plugins: Mapping[str, Plugin]) -> Resources:
    """The section's resources."""
    units = units_of(template, plugins)
    made = alarms(template, units)
    silent = [name for name, alarm in made.items() if not TOLD.keys() & alarm["Properties"].keys()]
    rule = " OR ".join(f'ALARM("${{{name}}}")' for name in silent)
    summary = {
        "Type": "AWS::CloudWatch::CompositeAlarm",
        "Properties": {
            "AlarmName": sub("terrafusion-${Stage}-tickets"),
            "AlarmDescription": "Something is wrong that can wait; the dashboard says what. See docs/operations.md.",
            "AlarmRule": sub(rule),
            **TOLD,
        },
    }
    dashboard = {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {
            "DashboardName": sub("terrafusion-${Stage}"),
            "DashboardBody": sub(dashboard_body(template, units, [SUMMARY, *made])),
        },
    }
    return {**made, SUMMARY: summary, "Dashboard": dashboard}
