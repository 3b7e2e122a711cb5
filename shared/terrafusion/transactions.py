"""Several writes to DynamoDB, all or none."""

import random
import time
from collections.abc import Sequence
from typing import Any

TRIES = 8
FIRST_PAUSE_SECONDS = 0.02


class ConditionFailed(Exception):
    """A write's condition did not hold, so that nothing was written; `index` tells which."""

    def __init__(self, index: int, item: dict[str, Any] | None) -> None:
        super().__init__(f"write {index}")
        self.index = index
        self.item = item


def transact(client: Any, writes: Sequence[dict[str, Any]]) -> None:
    """Write all or nothing; waits for others who write the same items.

    Raises
    ------
    ConditionFailed
    """
    for attempt in range(TRIES):
        try:
            client.transact_write_items(TransactItems=list(writes))
        except client.exceptions.TransactionCanceledException as error:
            reasons = error.response.get("CancellationReasons", [])
            for index, reason in enumerate(reasons):
                if reason.get("Code") == "ConditionalCheckFailed":
                    raise ConditionFailed(index, reason.get("Item")) from None
            if attempt == TRIES - 1:
                raise
        else:
            return
        time.sleep(random.SystemRandom().uniform(0, FIRST_PAUSE_SECONDS * 2**attempt))
