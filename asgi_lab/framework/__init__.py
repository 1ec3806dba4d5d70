"""A web framework to be read."""

from asgi_lab.framework.app import App

__all__ = ["App"]
