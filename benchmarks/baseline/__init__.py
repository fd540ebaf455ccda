"""Owns the yardstick: the design card's plain stack, as its libraries' own examples have it, not slowed down.

aiohttp answers the offer, aiortc's `VideoStreamTrack` paces by `next_timestamp()`, pyrender draws the model off screen
over EGL, aiortc's default encoders do the rest; the camera comes as JSON over a data channel. Rendering has a thread of
its own, so that signalling and input are never blocked by it: a careful author would do that. The only additions are
passive time stamps (`/trace`). It shares with Vitrine the camera's conventions, the model and the picture's size.
"""
