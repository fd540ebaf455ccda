"""Uploads become releases: a Lambda function on the upload bucket's events. See docs/publishing.md."""
