"""``oms migrate resilience``: legacy retries onto the unified ones, with the change of behaviour of each site."""
