#!/bin/bash
# Runs once, on an empty volume: the roles and databases of Weir and of Temporal.
# `weir_owner` changes the schema, `weir_app` is what the API and the worker connect as: row-level security
# holds it, and it can not bypass it.
set -euo pipefail
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  --set owner_password="$WEIR_OWNER_PASSWORD" --set app_password="$WEIR_APP_PASSWORD" \
  --set temporal_password="$TEMPORAL_PASSWORD" <<'SQL'
CREATE ROLE weir_owner LOGIN PASSWORD :'owner_password' NOSUPERUSER NOBYPASSRLS;
CREATE ROLE weir_app LOGIN PASSWORD :'app_password' NOSUPERUSER NOBYPASSRLS;
CREATE ROLE temporal LOGIN PASSWORD :'temporal_password' CREATEDB;
CREATE DATABASE weir OWNER weir_owner;
SQL
