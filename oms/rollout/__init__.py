"""Moving a phase between stages: flips, rollbacks, their acknowledgement, their audit, and the status of it all."""
