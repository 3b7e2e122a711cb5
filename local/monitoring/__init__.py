"""Rules, dashboards and alarms, written from the catalogue of metrics, the plugins' folders and the template.

`python -m local.monitoring` writes them all; what each says when is in `thresholds`.
"""
