"""A fifth plugin, which comes by a queue, and the template that has it: what a developer would add, for tests."""
