"""The `terrafusion` command: what an operator or analyst types instead of curl."""
