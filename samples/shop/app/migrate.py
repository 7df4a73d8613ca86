"""Makes the table, once: the web service and the worker start when this has ended well."""

from shop import database

with database() as cursor:
    cursor.execute(
        """
        CREATE TABLE IF NOT EXISTS orders (
            id uuid PRIMARY KEY,
            item text NOT NULL,
            quantity integer NOT NULL CHECK (quantity > 0),
            taken_by text NOT NULL,
            stored_by text NOT NULL,
            stored_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )
print("the table is there")
