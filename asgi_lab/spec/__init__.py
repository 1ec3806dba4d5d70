"""The ASGI specification as data: who may say what when, and what each rule asks.

machine, states             the conversations as tables: HTTP, WebSocket, lifespan, extensions
walk                        following a conversation, live or in a trace
rules, app_rules, server_rules      each rule in plain words, with its section and a remedy
case, step                  the checker: what is known, and the step that a message makes
app_checks, server_checks   what a message and a scope must hold: a small function a rule
values                      what a value must be, whatever message it stands in
common                      the short way for what nearly all messages are
"""
