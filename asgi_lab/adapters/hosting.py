"""The environment variable by which the command tells a server process what to host."""

VARIABLE = "ASGI_LAB_HOSTED"
