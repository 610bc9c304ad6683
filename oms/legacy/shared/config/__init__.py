"""The monolith's configuration classes."""
