"""Apps to trace before you trace your own."""
