"""The health check of the web service: is this replica of use? It imports next to nothing, as it runs every few seconds."""

import http.client
import sys

connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=8)
connection.request("GET", "/healthz")
sys.exit(0 if connection.getresponse().status == 200 else 1)
