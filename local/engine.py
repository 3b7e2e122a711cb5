"""What runs the functions: processes of this machine, or something else that takes invocations."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from local.failures import LOOPBACK
from local.invocation import InvokeResult
from local.runtime import Functions, Limits
from local.template import Template

OnLine = Callable[[str, str], None]


class RunningFunctions(Protocol):
    """Functions that can be called."""

    def invoke(self, name: str, payload: bytes) -> InvokeResult:
        """Call a function by its name or ARN with JSON, and wait for its end."""

    def concurrency(self, name: str) -> int:
        """How many invocations of a function run at once."""

    def drain(self) -> None:
        """Hand on every line that a busy function has written up to now."""

    def stop(self) -> None:
        """End whatever runs."""


class Engine(Protocol):
    """A way to run functions."""

    @property
    def host(self) -> str:
        """The address on which functions reach the local cloud."""

    @property
    def api_url(self) -> str | None:
        """Where the engine serves the API itself; None where it leaves that to the local cloud."""

    def start(
        self, template: Template, environment: Mapping[str, str], on_line: OnLine, scratch: Path
    ) -> RunningFunctions:
        """Make a template's functions ready.

        Parameters
        ----------
        environment
            What every function finds besides its own variables: endpoint and credentials.
        on_line
            Takes each line that a function writes, with the function's name.
        scratch
            A folder for what is kept only while they run.
        """


@dataclass(frozen=True, slots=True)
class Processes:
    """Functions as processes under AWS's own runtime interface client; their packages come from this environment."""

    limits: Limits | None = None
    host: str = LOOPBACK
    api_url: str | None = None

    def start(
        self, template: Template, environment: Mapping[str, str], on_line: OnLine, scratch: Path
    ) -> RunningFunctions:
        """See `Engine`; a process is started when it is needed."""
        return Functions(template.functions.values(), environment, on_line, scratch=scratch, limits=self.limits)
