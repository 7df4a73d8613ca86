"""The shop's web service.

GET /         who answers, how often it has been asked, how many orders there are
POST /orders  {"item": "tea", "quantity": 2}: queues an order, answers with its id
GET /orders   the orders that are stored
GET /healthz  200 when PostgreSQL and Redis answer
"""

import json
import signal
import socket
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg2
import redis
from shop import QUEUE, database, queue

PORT = 8000
HOSTNAME = socket.gethostname()
MAX_BODY = 64 * 1024


def front():
    counters = queue()
    with database() as cursor:
        cursor.execute("SELECT count(*) FROM orders")
        (stored,) = cursor.fetchone()
    return {"replica": HOSTNAME, "visits": counters.incr("visits"), "orders": stored, "queued": counters.llen(QUEUE)}


def listed():
    with database() as cursor:
        cursor.execute("SELECT id, item, quantity, taken_by, stored_by, stored_at FROM orders ORDER BY stored_at DESC LIMIT 100")
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor.fetchall()]


def ordered(text):
    """Queue an order. Raises ValueError when it is none."""
    wish = json.loads(text)
    if not isinstance(wish, dict) or not isinstance(wish.get("item"), str) or not wish["item"]:
        raise ValueError("an order needs an item")
    quantity = wish.get("quantity", 1)
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not 0 < quantity < 1_000_000:
        raise ValueError("the quantity must be a whole number above 0")
    order = {"id": str(uuid.uuid4()), "item": wish["item"], "quantity": quantity, "taken_by": HOSTNAME}
    queue().rpush(QUEUE, json.dumps(order))
    return order


def healthy():
    with database() as cursor:
        cursor.execute("SELECT 1")
    queue().ping()
    return {"healthy": True}


class Handler(BaseHTTPRequestHandler):
    routes = {"/": front, "/orders": listed, "/healthz": healthy}

    def do_GET(self):
        route = self.routes.get(self.path.partition("?")[0])
        self.answer(404, {"error": "not found"}) if route is None else self.serve(200, route)

    def do_POST(self):
        size = int(self.headers.get("Content-Length") or 0)
        if self.path != "/orders":
            self.answer(404, {"error": "not found"})
        elif size > MAX_BODY:
            self.answer(413, {"error": "the order is too large"})
        else:
            body = self.rfile.read(size)
            self.serve(202, lambda: ordered(body))

    def serve(self, status, function):
        try:
            result = function()
        except ValueError as error:
            self.answer(400, {"error": str(error)})
        except (psycopg2.Error, redis.RedisError) as error:
            print(f"error: {error}", file=sys.stderr)
            self.answer(503, {"error": "the shop's storage does not answer"})
        else:
            self.answer(status, result)

    def answer(self, status, value):
        body = json.dumps(value, default=str).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Replica", HOSTNAME)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form, *values):
        if self.path != "/healthz":
            print(form % values)


def serve():
    server = ThreadingHTTPServer(("0.0.0.0", PORT), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"listening on {PORT}")
    server.serve_forever()


if __name__ == "__main__":
    serve()
