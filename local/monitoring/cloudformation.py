"""Writes resources as the template's YAML has them: short tags, a line where it fits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

WIDTH = 116


@dataclass(frozen=True, slots=True)
class Tag:
    """An intrinsic function with a text: `!Ref`, `!Sub`, `!GetAtt`."""

    name: str
    text: str


def ref(name: str) -> Tag:
    """`!Ref`."""
    return Tag("Ref", name)


def sub(text: str) -> Tag:
    """`!Sub`."""
    return Tag("Sub", text)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        """Values that are the same object are still written out."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> Any:  # noqa: ARG002
        """Lists are indented, as in the rest of the template."""
        return super().increase_indent(flow, False)


def _tagged(dumper: yaml.SafeDumper, tag: Tag) -> yaml.Node:
    style = "|" if "\n" in tag.text else None
    return dumper.represent_scalar(f"!{tag.name}", tag.text, style)


_Dumper.add_representer(Tag, _tagged)


def lines_of(resources: Mapping[str, Mapping[str, Any]]) -> str:
    """Resources as they stand below `Resources:`."""
    blocks = []
    for name, resource in resources.items():
        text = yaml.dump({name: resource}, Dumper=_Dumper, sort_keys=False, width=WIDTH)
        blocks.append("".join(f"  {line}\n" if line else "\n" for line in text.splitlines()))
    return "\n".join(blocks)
