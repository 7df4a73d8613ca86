"""Takes orders from the queue and stores them. An order leaves the queue only when it is stored, and is stored once."""

import json
import signal
import socket
import sys

from shop import QUEUE, WORKING, database, queue

INSERT = "INSERT INTO orders (id, item, quantity, taken_by, stored_by) VALUES (%s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING"


def store(text):
    order = json.loads(text)
    with database() as cursor:
        cursor.execute(INSERT, (order["id"], order["item"], order["quantity"], order["taken_by"], socket.gethostname()))
    print(f"stored {order['id']}: {order['quantity']} x {order['item']}")


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    orders = queue()
    while orders.lmove(WORKING, QUEUE, "LEFT", "RIGHT"):  # what a worker before us began and did not finish
        pass
    print("waiting for orders")
    while True:
        text = orders.blmove(QUEUE, WORKING, 5, "LEFT", "RIGHT")
        if text is not None:
            store(text)
            orders.lrem(WORKING, 1, text)


main()
