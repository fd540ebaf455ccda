"""Keys become verified files: where models come from. Knows no glTF, no pixels, no HTTP server."""
