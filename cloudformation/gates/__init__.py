"""Judges the templates with every offline tool there is. Deploys nothing, knows no AWS account."""
