"""Formats that are not glTF: readers make shapes, `build` makes a Scene of them; `renderer.formats` is the door."""
