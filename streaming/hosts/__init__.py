"""This host among others: who serves an offer that came here, and where a session lives. Nothing here without a fleet.

What the table of places looks like, who is chosen and what AWS says of an instance is the package `fleet`'s.
"""
