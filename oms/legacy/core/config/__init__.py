"""The monolith's own configuration of its core."""
