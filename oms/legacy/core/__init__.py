"""Domain services of the monolith."""
