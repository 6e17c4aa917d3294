#!/bin/sh
# Makes Temporal's two databases and brings their tables to the version of this image; run again it changes nothing.
# SQL_PASSWORD comes from the environment.
set -eu
for database in temporal temporal_visibility; do
  tables=temporal
  [ "$database" = temporal ] || tables=visibility
  sql() { temporal-sql-tool --plugin postgres12 --endpoint postgres --port 5432 --user temporal --database "$database" "$@"; }
  sql create-database
  sql setup-schema --version 0.0
  sql update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$tables/versioned"
done
