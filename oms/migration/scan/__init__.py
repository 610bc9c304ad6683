"""Find every environment access in Python source text."""
