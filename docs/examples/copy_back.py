"""Copies what a table lacks out of one that was restored beside it: `python copy_back.py RESTORED TABLE`.

What the table has stays as it is, as it may have changed since.
"""

import sys
from typing import Any

import boto3


def copy_back(dynamodb: Any, source: str, target: str) -> tuple[int, int]:
    """Copy; gives how many items were copied, and how many were there."""
    (key, *_) = (k["AttributeName"] for k in dynamodb.describe_table(TableName=target)["Table"]["KeySchema"])
    copied = there = 0
    for page in dynamodb.get_paginator("scan").paginate(TableName=source):
        for item in page["Items"]:
            try:
                dynamodb.put_item(
                    TableName=target,
                    Item=item,
                    ConditionExpression="attribute_not_exists(#key)",
                    ExpressionAttributeNames={"#key": key},
                )
                copied += 1
            except dynamodb.exceptions.ConditionalCheckFailedException:
                there += 1
    return copied, there


if __name__ == "__main__":
    copied, there = copy_back(boto3.client("dynamodb"), *sys.argv[1:])
    print(f"{copied:,} copied, {there:,} were there")
