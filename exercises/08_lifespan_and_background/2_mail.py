"""08.2  After the response: a mail that nobody waits for.

Somebody signs up. Answer with status 202 and the body `welcome`; then send a mail:

    await send_mail(name)       takes 2 seconds, and may raise

The client does not wait for the mail. The mail is sent even if the server is told to stop in the
meantime. A mail that fails is printed, and raises nothing: the client has had its answer, and there
is nobody else to tell.

Check yourself: asgi-lab check 08.2
"""


async def signup(name, send, send_mail):
    # TODO: send a start and the body, the last one. Then the mail.
    raise NotImplementedError("your turn")
