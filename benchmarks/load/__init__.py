"""Owns `vitrine bench load`: how many dragging viewers a server holds, and how it stands a bad network."""
