"""The local cloud: everything in template.yaml on one machine, never deployed."""
