"""Counties that exist for tests: drawn from a known market, in the shapes that real counties come in."""
