"""Keep new environment accesses out while the old ones go."""
