"""Apps and servers that break a rule of ASGI each, and correct programs of unusual habits.

`apps` and its neighbours, `servers` and `correct` are tables of small functions. The line that
breaks a rule ends in a comment that names it: `# <- H1`.
"""
