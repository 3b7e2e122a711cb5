"""Roles grant what the contract says, and a principal survives the trip through the gateway."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from terrafusion.auth import EVERY_COUNTY, Principal, Role
from terrafusion.errors import Forbidden, Unauthenticated
from terrafusion.roles import RoleBook, RolesConflict

BOOK = RoleBook.default()
PLUGINS = ("valuation", "reporting", "gis_export", "market_analysis")
OWN_PLUGIN = {
    Role.VALUATION_STAFF: "valuation",
    Role.REPORTING_STAFF: "reporting",
    Role.GIS_STAFF: "gis_export",
    Role.MARKET_ANALYST: "market_analysis",
}


def someone(*roles: Role, counties: tuple[str, ...] = ("a",)) -> Principal:
    grant = BOOK.grant(roles)
    assert grant is not None
    return Principal("someone", grant.permissions, frozenset(counties))


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_role_executes_its_own_plugin_and_views_all(role: Role, plugin: str) -> None:
    may_execute = role in {Role.ASSESSOR, Role.IT_ADMIN} or OWN_PLUGIN.get(role) == plugin

    assert someone(role).has(f"execute_{plugin}") == may_execute
    assert someone(role).has(f"view_{plugin}_status")
    assert someone(role).has(f"view_{plugin}_results")


@pytest.mark.parametrize("role", Role)
def test_the_audit_is_the_auditor_s_and_the_administrator_s(role: Role) -> None:
    assert someone(role).has("read_audit") == (role in {Role.AUDITOR, Role.IT_ADMIN})


def test_the_book_has_the_contract_s_roles_and_one_sees_every_county() -> None:
    assert BOOK.names == tuple(Role)
    assert [role for role in Role if BOOK.grant([role]).every_county] == [Role.IT_ADMIN]  # type: ignore[union-attr]


def test_roles_add_up() -> None:
    both = someone(Role.GIS_STAFF, Role.REPORTING_STAFF)

    assert both.has("execute_gis_export")
    assert both.has("execute_reporting")
    assert not both.has("execute_valuation")


def test_every_county_does_not_spread_to_what_another_role_allows() -> None:
    book = RoleBook.model_validate(
        {
            "Inspector": {"permissions": ["view_*"], "every_county": True},
            "Viewer": {"permissions": ["view_*_status"]},
            "Clerk": {"permissions": ["execute_reporting"]},
        }
    )

    assert book.grant(["Inspector", "Viewer"]).every_county  # type: ignore[union-attr]
    with pytest.raises(RolesConflict):
        book.grant(["Inspector", "Clerk"])


@pytest.mark.parametrize(
    "permission",
    [
        *("*", "read_audit", "execute_*", "view_*", "view_*_status"),
        *("execute_valuation", "view_market_analysis_results"),
    ],
)
def test_a_book_takes_the_permissions_there_are(permission: str) -> None:
    book = RoleBook.model_validate_json(json.dumps({"Clerk": {"permissions": [permission]}}))

    assert book.grant(["Clerk"]).permissions == {permission}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "book",
    [
        {},
        {"Clerk": {"permissions": []}},
        {"Clerk": {}},
        {"Clerk": {"permissions": "view_*"}},
        {"Clerk": {"permissions": ["view_*"], "counties": ["a"]}},
        {"Cl erk": {"permissions": ["view_*"]}},
        *(
            {"Clerk": {"permissions": [permission]}}
            for permission in (
                *("", "view", "view_valuation", "exec_valuation", "execute_val uation", "execute_[a-z]*", "**", "?*"),
                *("execute_Valuation", "read_*", "view_*\n", "execute_valuation execute_reporting"),
            )
        ),
    ],
)
def test_a_book_that_is_wrong_is_refused(book: object) -> None:
    with pytest.raises(ValidationError):
        RoleBook.model_validate_json(json.dumps(book))


@given(st.text())
def test_an_unknown_role_grants_nothing(role: str) -> None:
    if role not in set(Role):
        assert BOOK.grant([role]) is None


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
