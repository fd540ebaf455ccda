"""Owns `vitrine bench fleet`: several hosts, each in its own network, and what becomes of viewers when one goes."""
