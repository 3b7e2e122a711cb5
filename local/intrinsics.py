"""CloudFormation's YAML tags and intrinsic functions."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from local.failures import CloudFailure

NO_VALUE = object()
"""What `!Ref AWS::NoValue` resolves to: the property or list item that holds it disappears."""

TAGS = frozenset(
    {
        "Ref",
        "Condition",
        "Fn::And",
        "Fn::Equals",
        "Fn::FindInMap",
        "Fn::GetAtt",
        "Fn::If",
        "Fn::Join",
        "Fn::Not",
        "Fn::Or",
        "Fn::Select",
        "Fn::Split",
        "Fn::Sub",
    }
)
PLACEHOLDER = re.compile(r"\$\{([^!{}][^{}]*)\}")
LITERAL = re.compile(r"\$\{!([^{}]+)\}")


class TemplateError(CloudFailure):
    """The template cannot be run as it is; the text says where and why."""


class _Loader(yaml.SafeLoader):
    """Reads short tags (`!Ref x`) in their long form (`{"Ref": "x"}`)."""


def _construct(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    key = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if key not in TAGS:
        mark = node.start_mark
        raise TemplateError(f"{mark.name}, line {mark.line + 1}: !{suffix} is not supported here")
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if key == "Fn::GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]  # the third kind of node
    return {key: value}


def _construct_timestamp(loader: _Loader, node: yaml.Node) -> str:
    return str(loader.construct_scalar(node))  # type: ignore[arg-type]  # a date in a template is text, such as a version


_Loader.add_multi_constructor("!", _construct)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _construct_timestamp)


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a template, with intrinsic functions in their long form.

    Raises
    ------
    TemplateError
        When it cannot be read, is not YAML, or uses a tag that is not supported, with the line.
    """
    try:
        with path.open(encoding="utf-8") as file:
            document = _Loader(file).get_single_data()
    except OSError as error:
        raise TemplateError(f"{path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise TemplateError(f"{path} is not YAML: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
        raise TemplateError(f"{path} has no Resources")
    return document


def is_intrinsic(value: Any) -> bool:
    """Whether a value is a call of an intrinsic function."""
    if not isinstance(value, dict) or len(value) != 1:
        return False
    key = str(next(iter(value)))
    return key == "Ref" or key.startswith("Fn::")


class Resolver:
    """Replaces intrinsic functions by their values.

    Parameters
    ----------
    ref, attribute
        What `Ref` of a name and `Fn::GetAtt` of a name and an attribute give; both raise `KeyError` for unknown ones.
    """

    def __init__(
        self,
        ref: Callable[[str], Any],
        attribute: Callable[[str, str], Any],
        conditions: Mapping[str, Any],
        mappings: Mapping[str, Any],
    ) -> None:
        self._ref = ref
        self._attribute = attribute
        self._conditions = conditions
        self._mappings = mappings
        self._functions: Mapping[str, Callable[[Any, str], Any]] = {
            "Ref": self._do_ref,
            "Fn::And": lambda v, w: all(self._truth(item, w) for item in v),
            "Fn::Equals": lambda v, w: _text(self.resolve(v[0], w)) == _text(self.resolve(v[1], w)),
            "Fn::FindInMap": self._do_find_in_map,
            "Fn::GetAtt": self._do_get_att,
            "Fn::If": lambda v, w: self.resolve(v[1 if self.condition(v[0], w) else 2], w),
            "Fn::Join": lambda v, w: _text(v[0]).join(_text(item) for item in self.resolve(v[1], w)),
            "Fn::Not": lambda v, w: not self._truth(v[0], w),
            "Fn::Or": lambda v, w: any(self._truth(item, w) for item in v),
            "Fn::Select": lambda v, w: self.resolve(v[1], w)[int(self.resolve(v[0], w))],
            "Fn::Split": lambda v, w: _text(self.resolve(v[1], w)).split(_text(v[0])),
            "Fn::Sub": self._do_sub,
        }

    def resolve(self, value: Any, where: str) -> Any:
        """Give a value without intrinsic functions.

        Parameters
        ----------
        where
            Path of the value in the template, for errors.

        Raises
        ------
        TemplateError
        """
        if isinstance(value, list):
            items = [self.resolve(item, f"{where}[{i}]") for i, item in enumerate(value)]
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if not is_intrinsic(value):
            pairs = {key: self.resolve(item, f"{where}.{key}") for key, item in value.items()}
            return {key: item for key, item in pairs.items() if item is not NO_VALUE}
        name, argument = next(iter(value.items()))
        function = self._functions.get(name)
        if function is None:
            raise TemplateError(f"{where}: {name} is not supported here")
        try:
            return function(argument, where)
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise TemplateError(f"{where}: {name} cannot be resolved ({type(error).__name__}: {error})") from error

    def condition(self, name: str, where: str) -> bool:
        """Whether a condition of the template holds."""
        if name not in self._conditions:
            raise TemplateError(f"{where}: there is no condition {name}")
        return self._truth(self._conditions[name], f"Conditions.{name}")

    def _truth(self, value: Any, where: str) -> bool:
        if isinstance(value, dict) and set(value) == {"Condition"}:
            return self.condition(value["Condition"], where)
        return bool(self.resolve(value, where))

    def _do_ref(self, name: str, _where: str) -> Any:
        return self._ref(name)

    def _do_get_att(self, value: Any, where: str) -> Any:
        name, attribute = value.split(".", 1) if isinstance(value, str) else value
        return self._attribute(name, self.resolve(attribute, where))

    def _do_find_in_map(self, value: Any, where: str) -> Any:
        name, first, second = (_text(self.resolve(item, where)) for item in value)
        table = {_text(key): row for key, row in self._mappings[name].items()}
        return {_text(key): item for key, item in table[first].items()}[second]

    def _do_sub(self, value: Any, where: str) -> str:
        text, names = (value, {}) if isinstance(value, str) else (value[0], self.resolve(value[1], where))

        def one(match: re.Match[str]) -> str:
            name = match[1].strip()
            if name in names:
                return _text(names[name])
            if "." in name:
                return _text(self._attribute(*name.split(".", 1)))
            return _text(self._ref(name))

        return LITERAL.sub(r"${\1}", PLACEHOLDER.sub(one, text))


def _text(value: Any) -> str:
    """A scalar as CloudFormation writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list) or value is NO_VALUE:
        raise TypeError(f"text expected, not {value!r}")
    return str(value)
