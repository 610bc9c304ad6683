"""Doors of the monolith."""
