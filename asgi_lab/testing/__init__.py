"""A plugin for pytest: the fixture `asgi_trace`, and `pytest --asgi-trace`.

clients   the test clients that it knows, and where each calls the app
traced    what a test is handed
plugin    what pytest calls
"""
