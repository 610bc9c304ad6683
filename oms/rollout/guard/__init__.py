"""The controller and what it goes by: policy, verdicts, latches, one leader. It moves a phase on, and takes it back."""
