"""Shared caches of the monolith."""
