"""The old building: the monolith's own modules under its own paths, quirks included. Only legacy_adapters imports it."""
