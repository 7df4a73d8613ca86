"""The daemon: the HTTP server, the Docker Engine API, composer's own API, and the process around them."""

import os

# pydantic looks through every installed distribution for plugins when the first model is made; there are none of ours
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
