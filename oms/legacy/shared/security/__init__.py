"""Protection that several services share."""
