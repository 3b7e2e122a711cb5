"""What to add to a comparable's log price so that it speaks of the subject, characteristic by characteristic.

The comparable is turned into the subject one characteristic after the other; each adjustment is by how much the
model's value changes on the way, averaged over a few orders and their opposites (baseline Shapley values, sampled:
Castro, Gómez & Tejada 2009; Sundararajan & Najmi 2020). So adjustments add up to the whole difference, a
characteristic that both share is not adjusted for, and more living area never counts against the one that has it.
"""

from collections.abc import Sequence

import numpy as np

from valuation.boosting import LAGS, Boosted
from valuation.features import LOCATION, Feature
from valuation.records import Floats, Ints

PLACE = "Location"
ORDERS = 3


def groups_of(features: Sequence[Feature]) -> dict[str, Ints]:
    """Inputs by what people call them: all that tells of place is one, every other feature its own."""
    place = [at for at, feature in enumerate(features) if feature.name in LOCATION]
    groups = {PLACE: np.array([*place, *range(len(features), len(features) + len(LAGS))])}
    others = ((at, feature) for at, feature in enumerate(features) if feature.name not in LOCATION)
    return groups | {feature.label: np.array([at]) for at, feature in others}


def adjustments(boosted: Boosted, features: Sequence[Feature], subject: Floats, comparables: Floats) -> Floats:
    """Log adjustments (comparables, groups) that turn each comparable (k, inputs) into the subject (inputs)."""
    groups = list(groups_of(features).values())
    orders = _orders(len(groups))
    steps = np.repeat(comparables[:, None, None, :], len(groups) + 1, axis=2).repeat(len(orders), axis=1)
    for number, order in enumerate(orders):
        for step, group in enumerate(order):
            inputs = groups[group]
            steps[:, number][:, step + 1 :, inputs] = subject[inputs]
    values = boosted.predict(steps.reshape(-1, comparables.shape[1])).reshape(steps.shape[:3])
    changes = np.diff(values, axis=2)
    total = np.zeros((len(comparables), len(groups)))
    for number, order in enumerate(orders):
        total[:, order] += changes[:, number]
    return total / len(orders)


def _orders(count: int) -> list[Ints]:
    """The same few orders each time, each with its opposite."""
    generator = np.random.default_rng(count)
    orders = [np.arange(count), *(generator.permutation(count) for _ in range(ORDERS - 1))]
    return [turned for order in orders for turned in (order, order[::-1])]
