"""What the market does, measured: prices, indices, time adjustments, areas and clusters from a county's sales."""
