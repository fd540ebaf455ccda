"""Models made ready for the shop: validated, optimised, pictured and registered. Streams nothing, draws through
`renderer.engine` only.
"""
