"""Circuit breakers: one for a process, one for all processes that share a Redis."""
