package peers

import (
	"path/filepath"
	"strings"
	"testing"
)

// A Program is a server that is set up and does not run: who starts it has a machine of
// its own for it, with port 53.
type Program struct {
	Path string
	Args []string
}

// NSDAt sets up NSD at an address, with zones given as master-file text by their names.
func NSDAt(t testing.TB, addr string, zones map[string]string) Program {
	t.Helper()
	return kind{
		name: "nsd", program: "nsd", config: nsdConfig,
		args: func(conf string) []string { return []string{"-d", "-c", conf} },
	}.at(t, addr, zones)
}

// KnotAt sets up Knot at an address; it signs its zones itself, each with one key.
func KnotAt(t testing.TB, addr string, zones map[string]string) Program {
	t.Helper()
	const template = "template:\n  - id: default\n"
	const policy = "policy:\n  - id: one\n    single-type-signing: on\n    algorithm: ecdsap256sha256\n"
	return kind{
		name: "knot", program: "knotd",
		config: func(dir string, port int, z []string) string {
			return replace(t, knotConfig(dir, port, z), template, policy+template+"    dnssec-signing: on\n    dnssec-policy: one\n")
		},
		args: func(conf string) []string { return []string{"-c", conf} },
	}.at(t, addr, zones)
}

// BINDAt sets up BIND at an address; it signs its zones itself, each with one key.
func BINDAt(t testing.TB, addr string, zones map[string]string) Program {
	t.Helper()
	return kind{
		name: "bind", program: "named",
		config: func(dir string, port int, z []string) string {
			return strings.ReplaceAll(bindConfig(dir, port, z), "type primary;", "type primary; dnssec-policy default; inline-signing yes;")
		},
		args: func(conf string) []string { return []string{"-g", "-n", "1", "-c", conf} },
	}.at(t, addr, zones)
}

// at writes the files of a server.
func (k kind) at(t testing.TB, addr string, zones map[string]string) Program {
	t.Helper()
	program := lookup(t, k.program)
	dir := folder(t)
	names := sortedKeys(zones)
	for _, name := range names {
		write(t, zoneFile(dir, name), zones[name])
	}
	conf := filepath.Join(dir, k.name+".conf")
	write(t, conf, strings.ReplaceAll(k.config(dir, 53, names), "127.0.0.1", addr))
	return Program{program, k.args(conf)}
}
