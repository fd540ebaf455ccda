"""Stand-ins for what the fleet asks of the cloud, with its documented semantics. For tests, benchmarks and models."""
