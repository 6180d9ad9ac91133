#!/bin/sh
# Creates Temporal's two databases, or brings their schema up to this version. Safe to repeat.
set -eu
tool="temporal-sql-tool --plugin postgres12 --endpoint postgres --port 5432 --user temporal --password $SQL_PASSWORD"
for kind in temporal visibility; do
  name=temporal
  [ "$kind" = visibility ] && name=temporal_visibility
  $tool --database "$name" create || true # it exists already
  $tool --database "$name" setup-schema --version 0.0 || true # it is set up already
  $tool --database "$name" update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/$kind/versioned"
done
