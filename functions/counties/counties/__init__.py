"""The counties a caller may see, and what belongs to no plugin: health, the API's description, its pages."""
