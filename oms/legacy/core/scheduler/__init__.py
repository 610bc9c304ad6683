"""The scheduler of the monolith."""
