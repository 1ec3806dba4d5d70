"""Failures that people met and asked about in public, each as a small app that fails the same way.

Each function of `apps` makes one: it says where it was met, and what is to be said of it. The line
that does it ends in a comment: `# <- here`.
"""
