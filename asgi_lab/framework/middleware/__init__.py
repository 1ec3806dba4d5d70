"""Middleware: ASGI apps around an ASGI app."""
