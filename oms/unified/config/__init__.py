"""Configuration of the unified wing."""
