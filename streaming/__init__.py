"""Frames become packets and messages become views: encoders, WebRTC, signalling, processes. No OpenGL."""
