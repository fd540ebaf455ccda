"""Many hosts as one: which host takes a viewer, and how a host leaves. Knows no streaming, no pixels, no models."""
