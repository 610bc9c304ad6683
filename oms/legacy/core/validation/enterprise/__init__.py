"""The enterprise validation service of the monolith."""
