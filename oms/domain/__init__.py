"""Words and rules of a migration. Imports the standard library only."""
