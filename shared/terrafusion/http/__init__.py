"""The HTTP side of every plugin: one application factory, one error body, the routes all jobs share."""

from terrafusion.http.app import Caller, create_app
from terrafusion.http.jobs import JobRoutes

__all__ = ["Caller", "JobRoutes", "create_app"]
