"""Where the shop keeps its things: orders in PostgreSQL, the queue and the counters in Redis."""

import os
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import redis

SECRET = Path("/run/secrets/db_password")
QUEUE, WORKING = "orders:new", "orders:working"


@contextmanager
def database():
    """A transaction: committed at the end, rolled back by an exception."""
    password = SECRET.read_text().strip()
    address = {"host": os.environ["DB_HOST"], "dbname": "shop", "user": "shop", "password": password, "connect_timeout": 5}
    with closing(psycopg2.connect(**address)) as connection, connection, connection.cursor() as cursor:
        yield cursor


def queue():
    return redis.Redis(host=os.environ["REDIS_HOST"], decode_responses=True, socket_connect_timeout=5)
