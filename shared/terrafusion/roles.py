"""What each role grants: data, that a deployment may replace."""

from collections.abc import Collection
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, RootModel, StringConstraints

BOOK = Path(__file__).with_name("roles.json")

_PLUGIN = r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*"
PERMISSION_PATTERN = rf"^(?:\*|read_audit|execute_(?:\*|{_PLUGIN})|view_(?:\*|(?:\*|{_PLUGIN})_(?:status|results)))$"
"""The permissions there are; a `*` stands for any plugin, so that a new one needs no entry. A typing error in a book
would otherwise grant nothing, and nobody would be told."""

RoleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
Permission = Annotated[str, StringConstraints(pattern=PERMISSION_PATTERN, max_length=80)]


class RolesConflict(Exception):
    """Roles whose permissions hold in different counties; a caller has one set of each."""


class Grant(BaseModel):
    """What a role, or several together, allow: patterns of permissions, and whether in all counties."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    permissions: frozenset[Permission] = Field(min_length=1)
    every_county: bool = False

    def covers(self, permission: str) -> bool:
        """Whether a permission, or all that a pattern of them stands for, is among the patterns."""
        return any(fnmatchcase(permission, pattern) for pattern in self.permissions)


class RoleBook(RootModel[dict[RoleName, Grant]]):
    """The roles that tokens may name, and what each grants."""

    model_config = ConfigDict(frozen=True)

    root: Annotated[dict[RoleName, Grant], Field(min_length=1)]

    @classmethod
    @cache
    def default(cls) -> Self:
        """The contract's roles."""
        return cls.model_validate_json(BOOK.read_bytes())

    @property
    def names(self) -> tuple[str, ...]:
        """The roles, in the book's order."""
        return tuple(self.root)

    def grant(self, roles: Collection[str]) -> Grant | None:
        """What the roles grant together; None when nothing, as of roles that the book does not have.

        Raises
        ------
        RolesConflict
            When a role of every county meets one that allows more in the caller's own: together they would allow
            that more in every county.
        """
        grants = [self.root[role] for role in roles if role in self.root]
        if not grants:
            return None
        patterns = frozenset[str]().union(*(grant.permissions for grant in grants))
        everywhere = [grant for grant in grants if grant.every_county]
        local = {p for p in patterns if not any(grant.covers(p) for grant in everywhere)}
        if everywhere and local:
            raise RolesConflict(f"the roles {', '.join(roles)} hold in different counties; use a token for each")
        return Grant(permissions=patterns, every_county=bool(everywhere))
