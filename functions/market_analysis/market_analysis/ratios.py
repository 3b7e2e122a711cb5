"""Ratios of assessed value to price, and which of them are too far out to say anything of the market."""

from market_analysis.market import Market

IQR_TIMES = 3.0
"""Ratios farther than so many interquartile ranges outside the quartiles are left out (IAAO 2013, appendix B)."""


def trim_ratios(market: Market) -> None:
    """Leave out sales without an assessed value and those whose log ratio is outlying, counted."""
    market.drop("without an assessed value", "NOT coalesce(assessed > 0, false)")
    market.require(1, "A ratio")
    query = "SELECT quantile_cont(ln(assessed / price), [0.25, 0.75]) FROM market"
    low, high = market.database.execute(query).fetchall()[0][0]
    room = IQR_TIMES * (high - low)
    market.drop(
        "with an outlying ratio", f"ln(assessed / price) < {low - room!r} OR ln(assessed / price) > {high + room!r}"
    )
