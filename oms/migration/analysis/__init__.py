"""Report what a code base reads from the environment."""
