"""oms: a feature-flagged strangler-fig runtime for moving a live service from legacy to unified code."""
