#!/bin/sh
# fuzz.sh runs every fuzz target of the module in turn: fuzz.sh 60s
set -eu
time=${1:-60s}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' lib cmd t | sort |
while IFS=: read -r file target; do
	package=./$(dirname "$file")
	name=${target#func }
	echo "== $package $name $time"
	if go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 1x "$package" >"$log" 2>&1; then
		tail -1 "$log"
	elif grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input' "$log"; then
		# On a busy machine the go command may call the end of the time a
		# failure; nothing was found.
		echo "time is up"
	else
		cat "$log"
		exit 1
	fi
done
