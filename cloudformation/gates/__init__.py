"""Judges the templates beside it with every offline tool there is, and says what none of them may pass. Deploys nothing, knows no AWS account."""
