"""Painters: each takes measures or a trace, and draws. None computes what another would need."""
