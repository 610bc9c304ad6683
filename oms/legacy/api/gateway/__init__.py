"""The gateway of the monolith."""
