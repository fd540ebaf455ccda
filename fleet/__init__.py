"""Many hosts as one: which host takes a viewer, how a host leaves. Knows no streaming, no models' contents, no pixels."""
