"""Owns `vitrine bench fidelity`: a suite of scenarios, drawn by us and by peers, scored against a path tracer."""
