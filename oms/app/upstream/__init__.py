"""The neighbours of the service, for rehearsals and tests: an ASGI application that fails as its schedule says, and counts what reaches it."""
