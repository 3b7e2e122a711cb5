"""Reports of a county: ratio studies, equity, sales validation, the roll, value changes, record cards."""
