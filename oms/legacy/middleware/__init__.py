"""ASGI middleware of the monolith."""
