"""HTTP as bytes: request targets, media types, bodies, answers. Only `web.py` puts these together."""
