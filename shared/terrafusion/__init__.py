"""The platform every plugin stands on: jobs, counties, storage, authorization, metrics, HTTP."""

__version__ = "0.1.0"
