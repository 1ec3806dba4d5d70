"""The ASGI specification as data: who may say what when, and what each rule asks.

machine    what a conversation's table is made of
states     the tables: HTTP, WebSocket, lifespan, with their extensions
walk       following a conversation, live or in a trace
"""
