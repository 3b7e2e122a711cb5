"""What is drawn and written from the template is that of today: sample events, the picture of the architecture."""

import json

from local import diagram
from local.samples import PARAMETERS, TARGET, events
from local.template import Template, load_yaml
from tests.conftest import ROOT
from tests.infra.rules import functions


def test_the_events_are_not_stale() -> None:
    kept = {str(p.relative_to(TARGET)): json.loads(p.read_text()) for p in TARGET.rglob("*.json")}
    assert kept == dict(events()), "a function is called in another way: run `make generated`"


def test_every_function_has_an_event() -> None:
    have = {path.name.partition(".")[0] for path in TARGET.rglob("*.json")}
    assert have == set(functions(load_yaml(ROOT / "template.yaml")))


def test_the_picture_is_not_stale() -> None:
    picture = diagram.draw(Template.load(ROOT / "template.yaml", PARAMETERS))
    assert diagram.TARGET.read_text() == picture, "the template has changed: run `make generated`"
