"""Ratio studies as the IAAO defines them: level, uniformity, vertical equity, with intervals, in numpy alone.

Every function takes two arrays, values and sale prices, or a `RatioSample` of them::

    from terrafusion.ratios import cod, prb, RatioSample, study

    cod(estimates, prices).value      # percent
    prb(estimates, prices).interval   # Interval(low=…, high=…, level=0.95, method='OLS, t')
    study(RatioSample.of(estimates, prices))[Measure.VEI].text   # 'not computed (n = 12 < 20)'

docs/methods/ratio-studies.md has the formulas and where they are from. Thresholds are in `terrafusion.standards`.
"""

from terrafusion.ratios.chasing import (
    NearOne,
    SoldUnsold,
    critical_share,
    mann_whitney,
    ratios_near_one,
    sold_against_unsold,
)
from terrafusion.ratios.compliance import Outcome, Verdict, judge, overall
from terrafusion.ratios.equity import (
    ValueGroup,
    kakwani,
    lorenz,
    mki,
    prb,
    prb_points,
    prd,
    value_groups,
    vei,
    vei_group_count,
    vei_significance,
)
from terrafusion.ratios.level import mean_ratio, median_interval, median_ratio, rank_interval, weighted_mean_ratio
from terrafusion.ratios.outliers import Outliers, outliers
from terrafusion.ratios.sample import RatioSample
from terrafusion.ratios.statistic import Interval, NotComputed, Statistic
from terrafusion.ratios.study import MEASURES, Measure, RatioStudy, strata, study
from terrafusion.ratios.trend import PriceTrend, price_trend
from terrafusion.ratios.uniformity import cod, cov, dispersion

__all__ = [
    "MEASURES",
    "Interval",
    "Measure",
    "NearOne",
    "NotComputed",
    "Outcome",
    "Outliers",
    "PriceTrend",
    "RatioSample",
    "RatioStudy",
    "SoldUnsold",
    "Statistic",
    "ValueGroup",
    "Verdict",
    "cod",
    "cov",
    "critical_share",
    "dispersion",
    "judge",
    "kakwani",
    "lorenz",
    "mann_whitney",
    "mean_ratio",
    "median_interval",
    "median_ratio",
    "mki",
    "outliers",
    "overall",
    "prb",
    "prb_points",
    "prd",
    "price_trend",
    "rank_interval",
    "ratios_near_one",
    "sold_against_unsold",
    "strata",
    "study",
    "value_groups",
    "vei",
    "vei_group_count",
    "vei_significance",
    "weighted_mean_ratio",
]
