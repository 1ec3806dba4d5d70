"""A trace for other people's tools: the Perfetto UI, OpenTelemetry's collectors, HAR viewers.

Each module has one function that takes a trace and where it is to go, and asks nothing else.
"""


class ExportError(Exception):
    """What was to be exported did not arrive. The message says why, and what to do."""
