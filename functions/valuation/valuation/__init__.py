"""Valuations: mass appraisal from a county's sales, in which every figure can be explained."""
