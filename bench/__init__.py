"""How fast the server is: ``python -m bench`` drives it as users do, and counts what was stored.

``load`` is the client, ``traffic`` what it sends, ``processes`` what is measured, ``books`` what
was stored, ``floors`` what the machine can do at best, ``figures`` the questions, ``table`` the
answers. Nothing here is part of the server.
"""
