"""Rehearsals without a service: the real hall, journal and controller in a seeded world whose hours pass in a second."""
