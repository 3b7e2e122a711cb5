"""The HTTP side of every plugin: one application factory, one error body, the routes all jobs share."""

from terrafusion.http.app import Caller, Moment, Term, create_app
from terrafusion.http.jobs import JobRoutes, KeyHeader, StatusDocument
from terrafusion.http.results import ResultRoutes

__all__ = ["Caller", "JobRoutes", "KeyHeader", "Moment", "ResultRoutes", "StatusDocument", "Term", "create_app"]
