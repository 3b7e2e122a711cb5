"""What a column's values are like: what exports ask before they look for values that a format would change."""

import pyarrow as pa
import pyarrow.compute as pc

from terrafusion.counties import Values

SPACE = r"[\x00-\x20\x7f-\xa0\p{Z}]"
PADDED = f"^{SPACE}|{SPACE}\\z"
CONTROLS = r"[\x00-\x08\x0b-\x1f]"
NOT_DIGITS = r"[eE].*|[^0-9]"
EXACT = 2**53
SURE_DIGITS, MOST_DIGITS = 15, 17
NOTHING = Values()


def values_of(values: pa.Array) -> Values:
    """What some values of a column are like."""
    kind = values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return Values(
            padded=_any(pc.match_substring_regex(values, PADDED)),
            empty=_any(pc.equal(values, "")),
            controls=_any(pc.match_substring_regex(values, CONTROLS)),
        )
    if pa.types.is_floating(kind):
        return Values(digits=_digits(values))
    if pa.types.is_int64(kind):
        return Values(big=_any(pc.or_(pc.greater(values, EXACT), pc.less(values, -EXACT))))
    if pa.types.is_timestamp(kind):
        return Values(zoned=kind.tz is not None, subseconds=_any(pc.not_equal(pc.subsecond(values), 0.0)))
    return NOTHING


def together(one: Values, other: Values) -> Values:
    """What two parts of a column are like."""
    pairs = zip(one, other, strict=True)
    return Values.model_validate({name: max(mine, theirs) for (name, mine), (_, theirs) in pairs})


def _any(found: pa.Array) -> bool:
    return bool(pc.any(found).as_py())


def _digits(values: pa.Array) -> int:
    """How many significant digits the longest takes: Arrow writes the fewest that give the same number again."""
    text = pc.replace_substring_regex(pc.cast(values, pa.string()), NOT_DIGITS, "")
    digits = pc.utf8_rtrim(pc.utf8_ltrim(text, "0"), "0")
    longest = int(pc.max(pc.binary_length(digits)).as_py() or 0)
    return longest if longest <= SURE_DIGITS else MOST_DIGITS  # rounded to 16, 5.960464477539063e-08 is another number
