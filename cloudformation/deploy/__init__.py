"""Deploys the templates beside it and says what they cost (`vitrine cloud`). Knows nothing of what runs in them."""
