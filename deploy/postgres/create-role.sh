#!/bin/sh
# The image `postgres` runs this script once, while the folder of the database is empty. The service's role owns its database and is no
# superuser, because `migrate up` sets defaults of the role, but not for a superuser.
set -eu
psql --set=ON_ERROR_STOP=1 --quiet --no-psqlrc --username="$POSTGRES_USER" --dbname=postgres \
    --set=password="$(cat /run/secrets/postgres-password)" <<'END'
CREATE ROLE snapnote LOGIN PASSWORD :'password';
CREATE DATABASE snapnote OWNER snapnote ENCODING 'UTF8' TEMPLATE template0;
END
