"""glTF 2.0 and GLB: bytes → `renderer.scene` data. No OpenGL, no network; side files come from a resolver."""
