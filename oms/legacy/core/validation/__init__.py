"""Validation in the monolith."""
