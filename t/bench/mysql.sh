#!/bin/sh
# mysql.sh FOLDER ZONE [CONFIG] serves a zone with PowerDNS from MariaDB, which
# runs as its child, on a socket in FOLDER. Without CONFIG it only makes and
# fills the database.
set -eu
db=$1 zone=$2 config=${3:-}
PATH=$PATH:/usr/sbin

serve() {
	exec setpriv --pdeathsig TERM mariadbd --no-defaults --user="$(id -un)" --datadir="$db/data" --socket="$db/s" --pid-file="$db/pid" \
		--skip-networking --skip-grant-tables
}
ask() { mariadb --no-defaults --socket="$db/s" "$@"; }

[ -n "$config" ] || mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$db/data" --skip-test-db >/dev/null
serve &
until ask -e 'select 1' >/dev/null 2>&1; do
	kill -0 $! # it has not ended
	sleep 0.05
done
[ -z "$config" ] || exec pdns_server --config-dir="$config"
{
	echo 'create database pdns; use pdns;'
	cat /usr/share/pdns-backend-mysql/schema/schema.mysql.sql
	zone2sql --gmysql --transactions --zone="$zone" --zone-name=bench.example
} | ask
mariadb-admin --no-defaults --socket="$db/s" shutdown
wait
