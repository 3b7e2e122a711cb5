"""Roles grant what the contract says, and a principal survives the trip through the gateway."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terrafusion.auth import EVERY_COUNTY, Principal, Role, permissions_of
from terrafusion.errors import Forbidden, Unauthenticated

PLUGINS = ("valuation", "reporting", "gis_export", "market_analysis")
OWN_PLUGIN = {
    Role.VALUATION_STAFF: "valuation",
    Role.REPORTING_STAFF: "reporting",
    Role.GIS_STAFF: "gis_export",
    Role.MARKET_ANALYST: "market_analysis",
}


def someone(*roles: Role, counties: tuple[str, ...] = ("a",)) -> Principal:
    return Principal("someone", permissions_of(roles), frozenset(counties))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_role_executes_its_own_plugin_and_views_all(role: Role, plugin: str) -> None:
    may_execute = role in {Role.ASSESSOR, Role.IT_ADMIN} or OWN_PLUGIN.get(role) == plugin

    assert someone(role).has(f"execute_{plugin}") == may_execute
    assert someone(role).has(f"view_{plugin}_status")
    assert someone(role).has(f"view_{plugin}_results")


@given(st.text())
def test_an_unknown_role_grants_nothing(role: str) -> None:
    if role not in set(Role):
        assert permissions_of([role]) == frozenset()


def test_a_principal_survives_the_gateway() -> None:
    caller = someone(Role.GIS_STAFF, Role.AUDITOR, counties=("a", "b"))

    assert Principal.from_context(caller.to_context()) == caller


@pytest.mark.parametrize("context", [None, {}, {"permissions": "*", "counties": "*"}])
def test_without_the_authorizer_nobody_calls(context: dict[str, str] | None) -> None:
    with pytest.raises(Unauthenticated):
        Principal.from_context(context)


def test_only_own_counties_are_open() -> None:
    with pytest.raises(Forbidden):
        someone(Role.ASSESSOR).require_county("b")
    someone(Role.IT_ADMIN, counties=(EVERY_COUNTY,)).require_county("b")


def test_a_missing_permission_is_said_in_the_contract_s_words() -> None:
    with pytest.raises(Forbidden, match=r"^Insufficient permissions$"):
        someone(Role.AUDITOR).require("execute_gis_export")
