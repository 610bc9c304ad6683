"""Adapters by phase: they make legacy code fit the ports. They translate and decide nothing."""
