"""Chaos: jobs of every plugin while processes, and the cloud itself, are killed. `make chaos`."""
