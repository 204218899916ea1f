#!/bin/sh
# vuln.sh looks the module's dependencies up in the list of known
# vulnerabilities, which is on the network: vuln.sh MODULE@VERSION. A folder with
# a copy of the list may be named in $GOVULNDB (file:///...).
set -eu
log=$(mktemp)
trap 'rm -f "$log"' EXIT
code=0
go run "$1" ${GOVULNDB:+-db "$GOVULNDB"} ./... >"$log" 2>&1 || code=$?
case $code in
0)
	tail -1 "$log"
	;;
*)
	if grep -q '^Vulnerability #' "$log"; then
		cat "$log" >&2
		exit 1
	fi
	echo "make test: vulnerability check skipped: $(grep -m1 "^govulncheck:\\|^go: " "$log" || tail -1 "$log")" >&2
	;;
esac
