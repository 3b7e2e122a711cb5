"""Writes resources as the template's YAML has them: short tags, a line where it fits."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

WIDTH = 116
QUOTED = re.compile(r"(!\w+) '(?:([\w./-]+)'|([\w.${}/-]+)'$)")
"""A tag's text in quotes that YAML's writer always sets; needed only for braces within a map in one line."""
SHORT = 3
"""A map of so few texts and tags stands in one line."""


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


def _mapped(dumper: yaml.SafeDumper, value: dict[str, Any]) -> yaml.Node:
    inline = len(value) <= SHORT and all(isinstance(item, str | Tag) for item in value.values())
    return dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=inline)


_Dumper.add_representer(Tag, _tagged)
_Dumper.add_representer(dict, _mapped)


def lines_of(resources: Mapping[str, Mapping[str, Any]]) -> str:
    """Resources as they stand below `Resources:`."""
    blocks = []
    for name, resource in resources.items():
        text = yaml.dump({name: resource}, Dumper=_Dumper, sort_keys=False, width=WIDTH)
        lines = (QUOTED.sub(r"\1 \2\3", line) for line in text.splitlines())
        blocks.append("".join(f"  {line}\n" if line else "\n" for line in lines))
    return "\n".join(blocks)
