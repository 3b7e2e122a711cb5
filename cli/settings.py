"""What `--set NAME=VALUE` says."""

from collections.abc import Callable, Sequence
from typing import Any

from cli.failures import UsageFailure


def read_settings(settings: Sequence[str], value_of: Callable[[str, str], Any]) -> dict[str, Any]:
    """Parameters out of `NAME=VALUE`; `value_of` reads the text of a named one.

    Raises
    ------
    UsageFailure
        For one without a name or a value.
    """
    parameters: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip() or not text.strip():
            raise UsageFailure(f"--set wants NAME=VALUE, not '{setting}'.")
        parameters[name.strip()] = value_of(name.strip(), text.strip())
    return parameters
