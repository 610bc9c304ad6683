"""Move reads of the environment onto `unified_env` without changing what they do."""
