package peers

import (
	"net"
	"strings"
	"testing"
)

// NSDTuned is NSD with further lines of its server clause, in place of the one
// that takes the limit of responses off.
func NSDTuned(t testing.TB, zones map[string]string, lines ...string) *Server {
	t.Helper()
	return kind{
		name: "nsd", program: "nsd", version: []string{"-v"},
		config: func(dir string, port int, z []string) string {
			return replace(t, nsdConfig(dir, port, z), "\trrl-ratelimit: 0\n", "\t"+strings.Join(lines, "\n\t")+"\n")
		},
		args: func(conf string) []string { return []string{"-d", "-c", conf} },
	}.run(t, zones)
}

// NSDSecondary is NSD as a secondary of a server, for a zone of which it begins with a
// text; it takes notifications and transfers from there.
func NSDSecondary(t testing.TB, zone, text, primary string) *Server {
	t.Helper()
	host, port, err := net.SplitHostPort(primary)
	if err != nil {
		t.Fatal(err)
	}
	return kind{
		name: "nsd", program: "nsd", version: []string{"-v"},
		config: func(dir string, at int, z []string) string {
			return nsdConfig(dir, at, z) + "\tallow-notify: " + host + " NOKEY\n\trequest-xfr: AXFR " + host + "@" + port + " NOKEY\n"
		},
		args: func(conf string) []string { return []string{"-d", "-c", conf} },
	}.run(t, map[string]string{zone: text})
}

// KnotTuned is Knot with modules for all zones: names of modules to their
// options, "key: value".
func KnotTuned(t testing.TB, zones map[string]string, modules map[string][]string) *Server {
	t.Helper()
	var all, names []string
	for _, m := range sortedKeys(modules) {
		all = append(all, m+":\n  - id: default\n    "+strings.Join(modules[m], "\n    ")+"\n")
		names = append(names, m+"/default")
	}
	const template = "template:\n  - id: default\n"
	return kind{
		name: "knot", program: "knotd", version: []string{"-V"},
		config: func(dir string, port int, z []string) string {
			tuned := strings.Join(all, "") + template + "    global-module: [" + strings.Join(names, ", ") + "]\n"
			return replace(t, knotConfig(dir, port, z), template, tuned)
		},
		args: func(conf string) []string { return []string{"-c", conf} },
	}.run(t, zones)
}

// BINDTuned is BIND with further options.
func BINDTuned(t testing.TB, zones map[string]string, options ...string) *Server {
	t.Helper()
	const recursion = "\trecursion no;\n"
	return kind{
		name: "bind", program: "named", version: []string{"-v"},
		config: func(dir string, port int, z []string) string {
			return replace(t, bindConfig(dir, port, z), recursion, recursion+"\t"+strings.Join(options, ";\n\t")+";\n")
		},
		args: func(conf string) []string { return []string{"-g", "-n", "1", "-c", conf} },
	}.run(t, zones)
}

func replace(t testing.TB, text, old, by string) string {
	t.Helper()
	if !strings.Contains(text, old) {
		t.Fatalf("no %q in the configuration", old)
	}
	return strings.Replace(text, old, by, 1)
}
