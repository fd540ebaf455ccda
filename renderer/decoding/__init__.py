"""Decoding of compressed data that strangers made, in processes of its own. Knows no glTF and no OpenGL."""
