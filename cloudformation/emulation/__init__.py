"""Deploys the templates into emulators of AWS and looks at what came of them. Judges no text, knows no AWS account."""
