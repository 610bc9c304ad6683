"""The new wing: one module per family, knowing nothing of flags, routing or the migration."""
