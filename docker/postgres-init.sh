#!/bin/sh
# Runs once, on an empty data folder: the service's login. It is no superuser, so row-level security binds it, and it
# inherits nothing from the roles it may take.
set -eu
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  -v password="$(cat /run/secrets/database_password)" <<'SQL'
create role outbound login noinherit createrole nosuperuser nobypassrls nocreatedb password :'password';
create database outbound owner outbound;
SQL
