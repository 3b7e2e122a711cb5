"""Jobs whose worker died with the cloud: at its start no function runs, whatever the leases in the table say.

A message that comes back before its job's lease is over is not for the taking, and then hidden for its queue's time.
"""

from datetime import UTC, datetime
from typing import Any

from terrafusion.jobs.model import JobStatus, timestamp


def end_leases(dynamodb: Any, table: str) -> int:
    """End the leases of all running jobs; gives how many."""
    moment = {"S": str(timestamp(datetime.now(UTC)))}
    held = dynamodb.get_paginator("scan").paginate(
        TableName=table,
        FilterExpression="#status = :running AND lease_until > :moment",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":running": {"S": JobStatus.RUNNING}, ":moment": moment},
    )
    keys = [{"pk": item["pk"], "sk": item["sk"]} for page in held for item in page["Items"]]
    for key in keys:
        dynamodb.update_item(
            TableName=table,
            Key=key,
            UpdateExpression="SET lease_until = :moment",
            ExpressionAttributeValues={":moment": moment},
        )
    return len(keys)
