"""The runbook's copy out of a restored table: what is missing comes back, what is there stays."""

import runpy
from typing import Any

import pytest

from local.aws.endpoint import AwsEndpoint
from tests.conftest import ROOT
from tests.integration.engines import project_template

SCRIPT = runpy.run_path(str(ROOT / "docs" / "examples" / "copy_back.py"))
KEYS: dict[str, tuple[str, str]] = {"JobsTable": ("pk", "sk"), "AuditTable": ("county_id", "event")}


@pytest.mark.parametrize("name", KEYS)
def test_what_is_missing_comes_back_and_what_is_there_stays(endpoint: AwsEndpoint, name: str) -> None:
    properties = dict(project_template().tables[name].properties)
    lost, restored = f"{name}-lost", f"{name}-restored"
    for table in (lost, restored):
        endpoint.create_table({**properties, "TableName": table})
    client = endpoint.client("dynamodb")

    def item(number: int, text: str) -> dict[str, Any]:
        first, second = KEYS[name]
        return {first: {"S": f"job {number // 2}"}, second: {"S": f"{number}"}, "text": {"S": text}, "n": {"N": "1.5"}}

    for number in range(8):
        client.put_item(TableName=restored, Item=item(number, "ä" * 180_000))  # more than a page holds
    client.put_item(TableName=lost, Item=item(3, "newer"))

    assert SCRIPT["copy_back"](client, restored, lost) == (7, 1)

    found = [page["Items"] for page in client.get_paginator("scan").paginate(TableName=lost)]
    texts = {row[KEYS[name][1]]["S"]: row["text"]["S"] for items in found for row in items}
    assert texts == {str(n): "newer" if n == 3 else "ä" * 180_000 for n in range(8)}
