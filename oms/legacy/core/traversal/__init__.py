"""Graph traversal in the monolith."""
