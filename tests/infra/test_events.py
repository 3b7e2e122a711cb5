"""The sample events are those that the template gives, and every function has one."""

import json

from local.samples import TARGET, events
from local.template import load_yaml
from tests.conftest import ROOT
from tests.infra.rules import functions


def test_the_events_are_not_stale() -> None:
    kept = {str(p.relative_to(TARGET)): json.loads(p.read_text()) for p in TARGET.rglob("*.json")}
    assert kept == dict(events()), "a function is called in another way: run `make events`"


def test_every_function_has_an_event() -> None:
    have = {path.name.partition(".")[0] for path in TARGET.rglob("*.json")}
    assert have == set(functions(load_yaml(ROOT / "template.yaml")))
