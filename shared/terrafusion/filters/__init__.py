"""Filters in CQL2 (OGC 21-065r2): read from text or JSON, checked against a layer's fields, compiled by who has data.

`read` makes CQL2-JSON of what a caller wrote, `check` a typed tree of it, in which every column exists, every operator
fits its operands, and every literal has its type. Compilers take that tree and nothing else:
`terrafusion.filters.duckdb` makes SQL whose values are bound, a plugin may bring its own.
"""

from terrafusion.filters.checking import check
from terrafusion.filters.reading import read
from terrafusion.filters.tree import FilterError, Node

__all__ = ["FilterError", "Node", "check", "read"]
