"""Measurements: every figure beside its peers in the same run, as a ratio."""
