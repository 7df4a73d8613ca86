#!/bin/sh
# Makes the cluster at the first start, with the password from the secret; then becomes the server.
set -eu

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    rm -rf "$PGDATA.new"
    initdb --pgdata="$PGDATA.new" --username=shop --pwfile=/run/secrets/db_password --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8
    echo "listen_addresses = '*'" >>"$PGDATA.new/postgresql.conf"
    echo "unix_socket_directories = '/tmp'" >>"$PGDATA.new/postgresql.conf"
    echo "host all all all scram-sha-256" >>"$PGDATA.new/pg_hba.conf"
    echo "CREATE DATABASE shop" | postgres --single -D "$PGDATA.new" postgres
    mv "$PGDATA.new" "$PGDATA" # only a whole cluster is ever seen
fi
exec "$@"
