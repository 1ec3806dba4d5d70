"""`python -m asgi_lab`: the command `asgi-lab`."""

from asgi_lab.cli import main

if __name__ == "__main__":
    main(prog_name="asgi-lab")
