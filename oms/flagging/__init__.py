"""Flags: read from files, validated, compiled, published as one table. The only room that speaks OpenFeature and flagd."""
