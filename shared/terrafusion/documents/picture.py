"""Pictures as PNG, drawn by resvg with the house typeface alone."""

from terrafusion import fonts


def png(svg: str, width: int) -> bytes:
    """An SVG document as PNG.

    Parameters
    ----------
    width
        In pixels; the height follows.

    Raises
    ------
    ValueError
        For a width that isn't positive, and for what is no SVG document.
    """
    import resvg_py

    if width < 1:
        raise ValueError(f"a picture can't be {width} pixels wide")
    content = resvg_py.svg_to_bytes(
        svg_string=svg, width=width, skip_system_fonts=True, font_files=[str(file) for file in fonts.FILES],
        font_family=fonts.FAMILY, sans_serif_family=fonts.FAMILY,
    )  # fmt: skip
    return bytes(content)
