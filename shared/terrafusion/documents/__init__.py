"""Documents in the house style: tagged PDF (PDF/UA-1), PNG pictures, HTML pages in one file."""

from terrafusion.documents.page import html
from terrafusion.documents.pdf import DocumentError, Pdf, pdf
from terrafusion.documents.picture import png

__all__ = ["DocumentError", "Pdf", "html", "pdf", "png"]
