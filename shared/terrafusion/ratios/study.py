"""All statistics of a sample together, and of its strata."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terrafusion.ratios.equity import kakwani, mki, prb, prd, vei
from terrafusion.ratios.level import mean_ratio, median_ratio, weighted_mean_ratio
from terrafusion.ratios.sample import RatioSample
from terrafusion.ratios.statistic import Statistic
from terrafusion.ratios.uniformity import cod, cov

VEI_LEVEL = 0.90
"""The VEI is judged by 90 % intervals, whatever level the study has."""


class Measure(StrEnum):
    """The statistics of a ratio study."""

    MEDIAN = "median"
    MEAN = "mean"
    WEIGHTED_MEAN = "weighted_mean"
    COD = "cod"
    COV = "cov"
    PRD = "prd"
    PRB = "prb"
    VEI = "vei"
    MKI = "mki"
    KI = "ki"


MEASURES: Mapping[Measure, Callable[[RatioSample, float], Statistic]] = {
    Measure.MEDIAN: lambda s, level: median_ratio(s, level=level),
    Measure.MEAN: lambda s, level: mean_ratio(s, level=level),
    Measure.WEIGHTED_MEAN: lambda s, level: weighted_mean_ratio(s, level=level),
    Measure.COD: lambda s, level: cod(s, level=level),
    Measure.COV: lambda s, level: cov(s, level=level),
    Measure.PRD: lambda s, level: prd(s, level=level),
    Measure.PRB: lambda s, level: prb(s, level=level),
    Measure.VEI: lambda s, _: vei(s, level=VEI_LEVEL),
    Measure.MKI: lambda s, level: mki(s, level=level),
    Measure.KI: lambda s, level: kakwani(s, level=level),
}


@dataclass(frozen=True, slots=True)
class RatioStudy:
    """The statistics of one sample; every measure is there, computed or with its reason."""

    n: int
    level: float
    statistics: Mapping[Measure, Statistic]

    def __getitem__(self, measure: Measure) -> Statistic:
        return self.statistics[measure]

    @property
    def document(self) -> dict[str, Any]:
        """The study as JSON."""
        return {"n": self.n, **{name.value: statistic.document for name, statistic in self.statistics.items()}}


def study(sample: RatioSample, *, level: float = 0.95) -> RatioStudy:
    """Compute every measure of a sample, intervals at `level` (the VEI's at 90 %)."""
    return RatioStudy(sample.n, level, {name: make(sample, level) for name, make in MEASURES.items()})


def strata(sample: RatioSample, labels: NDArray[np.int_], count: int, *, level: float = 0.95) -> Sequence[RatioStudy]:
    """A study of each of `count` strata; `labels` (n,) are the sales' strata from 0 up, below 0 for none."""
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], np.arange(count + 1))
    assessed, price = sample.assessed[order], sample.price[order]
    return [study(RatioSample(assessed[i:j], price[i:j]), level=level) for i, j in pairwise(ends)]
