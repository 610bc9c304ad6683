"""Clients that several services share."""
