"""Whether a study meets a standard: a verdict for each measure, with the limits and the words that say why."""

from dataclasses import dataclass, replace
from enum import StrEnum

from terrafusion.ratios.equity import vei_significance
from terrafusion.ratios.statistic import Statistic
from terrafusion.ratios.study import Measure, RatioStudy
from terrafusion.standards import Judged, PropertyType, Range, Standard


class Outcome(StrEnum):
    """What a standard says of a statistic."""

    PASS = "pass"  # noqa: S105  a verdict
    WARNING = "warning"
    FAIL = "fail"
    NOT_JUDGED = "not judged"


EQUITY = frozenset({Measure.PRD, Measure.PRB, Measure.VEI, Measure.MKI})
"""Measures of vertical equity: they compare cheap with dear, and say nothing of sales that were chosen by value."""
SEVERITY = (Outcome.FAIL, Outcome.WARNING, Outcome.PASS, Outcome.NOT_JUDGED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A measure's outcome; `limits` as a reader would write them, `why` a sentence."""

    measure: Measure
    outcome: Outcome
    limits: str
    why: str


def judge(
    study: RatioStudy, standard: Standard, kind: PropertyType | None, *, cut_by_value: bool = False
) -> tuple[Verdict, ...]:
    """Judge a study's median, COD, PRD, PRB, VEI and MKI, as far as the standard has limits.

    Parameters
    ----------
    kind
        The type of the sales' property, None where types are mixed; the COD is judged by it.
    cut_by_value
        Whether the sales are a group of similar value. Then the measures of vertical equity are not judged: within a
        group that is cut on ½·S + ½·A/md, high prices go with low values, also on a fair roll.
    """
    rules = {
        Measure.MEDIAN: standard.level,
        Measure.COD: _cod_range(standard, kind),
        Measure.PRD: standard.prd,
        Measure.MKI: standard.mki,
    }
    verdicts: dict[Measure, Verdict] = {}
    for measure, limits in rules.items():
        if limits is not None:
            verdicts[measure] = _in_range(measure, study[measure], limits, standard)
    if standard.prb is not None:
        verdicts[Measure.PRB] = _prb(study[Measure.PRB], standard)
    if standard.vei is not None:
        verdicts[Measure.VEI] = _vei(study[Measure.VEI], standard)
    if Measure.COD in verdicts:
        verdicts[Measure.COD] = _suspicious(verdicts[Measure.COD], study[Measure.COD], standard)
    elif standard.cod:
        text = "types of property are mixed" if kind is None else f"no limit for {kind.value} property"
        verdicts[Measure.COD] = Verdict(Measure.COD, Outcome.NOT_JUDGED, "by type", text)
    if cut_by_value:
        for measure in EQUITY & verdicts.keys():
            verdicts[measure] = replace(
                verdicts[measure], outcome=Outcome.NOT_JUDGED, why="the sales are a group that is cut by value"
            )
    return tuple(verdicts[m] for m in Measure if m in verdicts)


def overall(verdicts: tuple[Verdict, ...]) -> Outcome:
    """The worst of several verdicts."""
    outcomes = {verdict.outcome for verdict in verdicts}
    return next((outcome for outcome in SEVERITY if outcome in outcomes), Outcome.NOT_JUDGED)


def _cod_range(standard: Standard, kind: PropertyType | None) -> Range | None:
    high = standard.cod.get(kind) if kind is not None else None
    return None if high is None else Range(high=high, judged=standard.cod_judged)


def _unfit(measure: Measure, statistic: Statistic, limits: str, standard: Standard) -> Verdict | None:
    """The verdict where nothing can be said."""
    if statistic.value is None:
        return Verdict(measure, Outcome.NOT_JUDGED, limits, statistic.text)
    if statistic.n < standard.minimum_sales:
        why = f"n = {statistic.n} < {standard.minimum_sales}, too few for a verdict"
        return Verdict(measure, Outcome.NOT_JUDGED, limits, why)
    return None


def _in_range(measure: Measure, statistic: Statistic, limits: Range, standard: Standard) -> Verdict:
    text = _range_text(limits)
    if (unfit := _unfit(measure, statistic, text, standard)) is not None:
        return unfit
    value = float(statistic)
    inside = (limits.low is None or value >= limits.low) and (limits.high is None or value <= limits.high)
    if inside:
        return Verdict(measure, Outcome.PASS, text, "within the limits")
    if limits.judged is Judged.POINT:
        return Verdict(measure, Outcome.FAIL, text, "outside of the limits")
    if statistic.interval is None:
        return Verdict(measure, Outcome.WARNING, text, f"outside of the limits; interval {statistic.interval_reason}")
    if statistic.interval.misses(limits.low, limits.high):
        return Verdict(measure, Outcome.FAIL, text, f"the {_percent(statistic)} interval lies outside of the limits")
    return Verdict(
        measure, Outcome.WARNING, text, f"outside, but its {_percent(statistic)} interval reaches the limits"
    )


def _prb(statistic: Statistic, standard: Standard) -> Verdict:
    assert standard.prb is not None  # noqa: S101  asked for where there are limits
    good, bad = standard.prb.acceptable, standard.prb.limit
    text = f"±{good:g}; beyond ±{bad:g} fails"
    if (unfit := _unfit(Measure.PRB, statistic, text, standard)) is not None:
        return unfit
    interval = statistic.interval
    if interval is not None and interval.misses(-bad, bad):
        why = f"the {_percent(statistic)} interval lies beyond ±{bad:g}"
        return Verdict(Measure.PRB, Outcome.FAIL, text, why)
    if abs(float(statistic)) <= good:
        return Verdict(Measure.PRB, Outcome.PASS, text, f"within ±{good:g}")
    return Verdict(Measure.PRB, Outcome.WARNING, text, f"outside of ±{good:g}; not shown to lie beyond ±{bad:g}")


def _vei(statistic: Statistic, standard: Standard) -> Verdict:
    assert standard.vei is not None  # noqa: S101  asked for where there is a limit
    limit = standard.vei
    text = f"±{limit:g} %"
    if (unfit := _unfit(Measure.VEI, statistic, text, standard)) is not None:
        return unfit
    if abs(float(statistic)) <= limit:
        return Verdict(Measure.VEI, Outcome.PASS, text, f"within ±{limit:g} %")
    apart = vei_significance(statistic)
    if apart is None:
        return Verdict(Measure.VEI, Outcome.WARNING, text, "outside, but the end groups' 90 % intervals overlap")
    if abs(apart) <= limit:
        why = f"outside, but its significance of {apart:.2f} % is within ±{limit:g} %"
        return Verdict(Measure.VEI, Outcome.WARNING, text, why)
    return Verdict(Measure.VEI, Outcome.FAIL, text, f"the 90 % intervals confirm it: {apart:.2f} % lie between them")


def _suspicious(verdict: Verdict, statistic: Statistic, standard: Standard) -> Verdict:
    least, value = standard.suspicious_cod, statistic.value
    if verdict.outcome is not Outcome.PASS or least is None or value is None or value >= least:
        return verdict
    why = f"below {least:g}: suspiciously uniform, look for sales chasing"
    return Verdict(verdict.measure, Outcome.WARNING, verdict.limits, why)


def _range_text(limits: Range) -> str:
    if limits.low is None:
        return f"at most {limits.high:g}"
    return f"at least {limits.low:g}" if limits.high is None else f"{limits.low:.2f} to {limits.high:.2f}"


def _percent(statistic: Statistic) -> str:
    return f"{statistic.interval.level:.0%}" if statistic.interval else ""
