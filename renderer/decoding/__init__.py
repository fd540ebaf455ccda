"""Reading of what strangers made, in processes that can do nothing else. Knows no OpenGL and no network."""
