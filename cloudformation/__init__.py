"""Stacks of AWS resources, and the functions that run in them."""
