"""Small things that every service of the monolith imports."""
