"""Digests of a county's layers: an example of a plugin whose jobs come by a queue."""
