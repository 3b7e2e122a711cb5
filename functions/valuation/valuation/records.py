"""Rows of a county's table as numpy columns, whatever the county keeps."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Texts = NDArray[np.str_]
Dates = NDArray[np.datetime64]
Column = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Records:
    """Columns of one length, by name.

    Numbers and flags are float64 with NaN for nothing, texts are `str_` with `""`, dates `datetime64[D]` with NaT.
    """

    columns: Mapping[str, Column]
    count: int

    @classmethod
    def of(cls, columns: Mapping[str, Any]) -> "Records":
        """Take columns as DuckDB's `fetchnumpy` or a caller gives them; those of other types are left out."""
        taken = {name: column for name, values in columns.items() if (column := _column(values)) is not None}
        return cls(taken, len(next(iter(columns.values()))) if columns else 0)

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def numbers(self, name: str) -> Floats:
        """A column as numbers: texts that are none, and columns that are not there, are NaN."""
        column = self.columns.get(name)
        if column is None or column.dtype.kind == "M":
            return np.full(self.count, np.nan)
        return parsed(column) if column.dtype.kind == "U" else column

    def texts(self, name: str) -> Texts:
        """A column as texts: whole numbers without decimals; empty where there is nothing."""
        column = self.columns.get(name)
        if column is None:
            return np.full(self.count, "")
        if column.dtype.kind == "U":
            return column
        if column.dtype.kind == "M":
            return np.where(np.isnat(column), "", column.astype("datetime64[D]").astype(str))
        return np.array(["" if np.isnan(value) else f"{value:.15g}" for value in column])

    def dates(self, name: str) -> Dates:
        """A column of dates: NaT throughout when it is not there or holds something else."""
        column = self.columns.get(name)
        if column is None or column.dtype.kind != "M":
            return np.full(self.count, np.datetime64("NaT", "D"))
        return column

    def take(self, rows: Ints | Flags) -> "Records":
        """Some of the rows, in the order asked for."""
        chosen = {name: column[rows] for name, column in self.columns.items()}
        return Records(chosen, int(rows.sum()) if rows.dtype.kind == "b" else len(rows))

    def over(self, other: "Records") -> "Records":
        """These rows' values where they have one, else those of the same rows of another table.

        A column that is of another type in the other table is read as that type: texts as the numbers that they are.
        """
        merged = dict(other.columns)
        for name, column in self.columns.items():
            below = merged.get(name)
            if below is None:
                merged[name] = column
            else:
                read = {"f": self.numbers, "U": self.texts, "M": self.dates}[below.dtype.kind]
                own: Column = read(name)
                merged[name] = np.where(_nothing(own), below, own)
        return Records(merged, self.count)


def parsed(texts: Texts) -> Floats:
    """Texts as numbers; NaN where one is none, or is not finite."""
    known, at = np.unique(texts, return_inverse=True)
    values = np.array([_number(text) for text in known.tolist()], np.float64)
    return values[at]


def looked_up(texts: Texts, table: Mapping[str, float], default: float) -> Floats:
    """What a table says of each text; the default of those that it does not name."""
    known, at = np.unique(texts, return_inverse=True)
    return np.array([table.get(text, default) for text in known.tolist()], np.float64)[at]


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return np.nan
    return value if np.isfinite(value) else np.nan


def _column(values: Any) -> Column | None:
    mask = np.ma.getmaskarray(values) if np.ma.isMaskedArray(values) else None
    data = np.asarray(np.ma.getdata(values))
    if data.dtype.kind in "biuf":
        numbers = data.astype(np.float64)
        numbers[~np.isfinite(numbers)] = np.nan
        return numbers if mask is None else np.where(mask, np.nan, numbers)
    if data.dtype.kind == "M":
        days = data.astype("datetime64[D]")
        return days if mask is None else np.where(mask, np.datetime64("NaT", "D"), days)
    if data.dtype.kind in "UO":
        texts = data if mask is None else np.where(mask, "", data)
        if data.dtype.kind == "O" and not all(text is None or isinstance(text, str) for text in texts[:1000]):
            return None
        return np.array(["" if text is None else str(text).strip() for text in texts.tolist()], dtype=np.str_)
    return None


def _nothing(column: Column) -> Flags:
    if column.dtype.kind == "U":
        return np.asarray(column == "")
    return np.isnat(column) if column.dtype.kind == "M" else np.isnan(column)
