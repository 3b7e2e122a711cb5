"""The typeface of every picture and document: Source Sans Pro, under the SIL Open Font License (LICENSE.txt)."""

from pathlib import Path

FAMILY = "Source Sans Pro"
DIRECTORY = Path(__file__).resolve().parent
"""Holds regular, bold and italic as OpenType files, unchanged: the name 'Source' is reserved by the licence."""

FILES = tuple(sorted(DIRECTORY.glob("*.otf")))
