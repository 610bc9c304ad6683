"""Both sides of the seams of each phase, made for tests."""
