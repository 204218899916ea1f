package validate

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"namecast/t/peers"
)

// program runs dnsviz. Debian 12 has a dnsviz that wants to know the version of
// pygraphviz from a module that its pygraphviz has no more.
const program = `
import runpy, sys, types
try:
    import pygraphviz
    if not hasattr(pygraphviz, "release"):
        pygraphviz.release = sys.modules["pygraphviz.release"] = types.ModuleType("pygraphviz.release")
        pygraphviz.release.version = pygraphviz.__version__
except ImportError:
    pass
sys.argv[0] = "dnsviz"
runpy.run_path("/usr/bin/dnsviz", run_name="__main__")
`

func (w *tree) dnsviz(args ...string) string {
	w.t.Helper()
	return w.run("", "/usr/bin/python3", append([]string{"-c", program}, args...)...)
}

// TestDNSViz has dnsviz look at the zones from the root down. It must find
// nothing worth a warning, and the names secure.
func TestDNSViz(t *testing.T) {
	if err := exec.Command("/usr/bin/python3", "-c", "import pygraphviz, dnsviz.viz.dnssec").Run(); err != nil {
		t.Skip("dnsviz or python3-pygraphviz is not installed: its analysis skipped")
	}
	w := plant(t, "-rate-sign", "none")
	probe := []string{"probe", "-A", "-4", "-a", "."}
	at := func(zone, server, host string) {
		probe = append(probe, "-x", fmt.Sprintf("%s:%s=%s:%d", zone, server, host, w.Port))
	}
	at(".", "ns.root", peers.AtRoot)
	at("test", "ns.test", peers.AtTest)
	for _, zone := range append(owned, base) {
		at(zone, "ns1."+base, peers.AtOne)
	}
	names := []string{"one.test", "www.one.test", "x.wild.one.test", "no.one.test", "ent.one.test", "chain.one.test",
		"host.old.one.test", "dangling.one.test", base, "ns1." + base, "sub.one.test", "www.sub.one.test", "two.test"}
	out := filepath.Join(w.dir, "probe.json")
	w.dnsviz(append(append(probe, "-o", out), names...)...)
	anchors := filepath.Join(w.dir, "anchors")
	w.write(anchors, w.anchor()+"\n")
	found := w.dnsviz("grok", "-l", "warning", "-t", anchors, "-r", out)
	if s := strings.TrimSpace(found); s != "" && s != "{}" {
		t.Errorf("dnsviz warns:\n%s", found)
	}
	whole := w.dnsviz("print", "-t", anchors, "-r", out)
	for _, name := range names {
		if !strings.Contains(whole, name) {
			t.Errorf("dnsviz did not look at %s", name)
		}
	}
	if other := regexp.MustCompile(`.*\[[^.\]]+\].*`).FindAllString(whole, -1); len(other) > 0 {
		t.Errorf("not secure:\n%s\nof\n%s", strings.Join(other, "\n"), whole)
	}
}
