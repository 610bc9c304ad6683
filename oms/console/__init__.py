"""Everything that people look at in a browser or read as a report."""
