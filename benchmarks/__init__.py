"""Owns the measurements: `vitrine bench …`. Drives servers from outside, as a stranger would; changes none."""
