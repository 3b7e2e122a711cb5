"""What a template deploys, as far as it costs something: alarms, services, and each plugin's worker and workflow."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cli.costs.usage import FREE_DISK_GB, Kind
from cli.costs.usage import Path as Way
from cli.failures import UsageFailure
from local.intrinsics import load_yaml
from local.plugins import plugins_of
from terrafusion.plugins import Plugin

STATES_AROUND = 2
"""AWS counts a workflow's start and end as transitions, too."""


class DeployedTemplate:
    """A template, and the code that lies beside it."""

    def __init__(self, path: Path) -> None:
        self._folder = path.resolve().parent
        template = load_yaml(path)
        self._resources: Mapping[str, Any] = template["Resources"]
        self._globals: Mapping[str, Any] = template["Globals"]["Function"]
        found = plugins_of(self._folder.glob("functions/*"))
        self._plugins: Mapping[str, Plugin] = {folder.name: plugin for folder, plugin in found.items()}

    @property
    def alarm_metrics(self) -> int:
        """Metrics that the alarms look at, each of which is billed."""
        alarms = self._of_type("AWS::CloudWatch::Alarm")
        return sum(max(1, sum("MetricStat" in query for query in alarm.get("Metrics", []))) for alarm in alarms)

    @property
    def shared_services(self) -> int:
        """Services that answer HTTP and are no plugin's."""
        answering = {
            function["Handler"].partition(".")[0]
            for function in self._of_type("AWS::Serverless::Function")
            if any(event["Type"] == "HttpApi" for event in function.get("Events", {}).values())
        }
        return len(answering - set(self._plugins))

    def as_deployed(self, kind: Kind) -> Kind | None:
        """A kind of job as its worker, its workflow and its plugin have it; None without a worker.

        Raises
        ------
        UsageFailure
            When the plugin's code does not lie beside the template.
        """
        for worker in self._of_type("AWS::Serverless::Function"):
            if worker["Handler"] != f"{kind.name}.worker.handler":
                continue
            disk = worker.get("EphemeralStorage", {}).get("Size", 1024 * FREE_DISK_GB)
            memory = worker.get("MemorySize", self._globals["MemorySize"])
            queued = any(event["Type"] == "SQS" for event in worker.get("Events", {}).values())
            plugin = self._plugin(kind.name)
            return replace(
                kind,
                memory_gb=memory / 1024,
                disk_gb=disk / 1024,
                path=Way.QUEUE if queued else Way.WORKFLOW,
                specs=(*plugin.metrics.specs, *plugin.samples),
                transitions=0 if queued else self._transitions(kind.name),
            )
        return None

    def _plugin(self, name: str) -> Plugin:
        found = self._plugins.get(name)
        if found is None:
            raise UsageFailure(
                f"There is no plugin {name} in {self._folder / 'functions'}, which the template deploys."
            )
        return found

    def _transitions(self, plugin: str) -> int:
        """What a job that goes well passes in its workflow."""
        files = [machine["DefinitionUri"] for machine in self._of_type("AWS::Serverless::StateMachine")]
        (file,) = (name for name in files if Path(name).parent.name == plugin)
        return transitions(json.loads((self._folder / file).read_text(encoding="utf-8")))

    def _of_type(self, name: str) -> list[Mapping[str, Any]]:
        return [r["Properties"] for r in self._resources.values() if r["Type"] == name]


def transitions(workflow: Mapping[str, Any]) -> int:
    """State transitions of an execution that fails nowhere and takes each choice's default."""
    passed, name = STATES_AROUND, workflow["StartAt"]
    while name:
        state = workflow["States"][name]
        passed += 1
        name = state.get("Next") or state.get("Default")
    return passed
