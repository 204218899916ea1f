#!/bin/sh
# fuzz.sh runs every fuzz target of the module in turn: fuzz.sh 60s
set -eu
time=${1:-60s}
grep -rhoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' -H lib cmd t | sort |
while IFS=: read -r file target; do
	package=./$(dirname "$file")
	name=${target#func }
	echo "== $package $name $time"
	go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$package"
done
