#!/bin/sh
# Writes the secret files that docker-compose.yml names, each once; what is there is kept. The container's own user has
# to read them, so it is the folder that is closed, not the files.
set -eu
cd "$(dirname "$0")"
umask 022
mkdir -p secrets
chmod 700 secrets
random() { od -An -N 24 -tx1 /dev/urandom | tr -d ' \n'; }
keep() { [ -s "secrets/$1" ] || printf '%s\n' "$2" >"secrets/$1"; }
keep postgres_password "$(random)"
keep database_password "$(random)"
keep redis_password "$(random)"
keep outbound_secret_key "$(random)"
# Empty is unset: the mail catcher asks for no password.
keep email_password ""
keep resend_api_key ""
keep database_url "postgresql://outbound:$(cat secrets/database_password)@postgres:5432/outbound"
keep redis_url "redis://:$(cat secrets/redis_password)@valkey:6379/0"
