package health

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"namecast/lib/watch"
)

func TestParse(t *testing.T) {
	p, err := Parse(strings.NewReader(`
# a node
node=a keep absorb
prefix=192.0.2.0/24 needs=dns
prefix=2001:db8::/48
component=store restart='systemctl restart nc-chain' pid='systemctl show -P MainPID nc-chain' limit=30s
component=dns needs=store pid-file=pid start=3s answers busy=100
probe=dns component=dns at=192.0.2.53:53 name=namecast.example interval=100ms fall=3 rise=5
probe=dns component=dns at=192.0.2.53:53 tcp name=namecast.example name=x.namecast.example type=A expect=192.0.2.9
probe=counter component=dns url=http://127.0.0.1/metrics metric=n
probe=http component=store url=http://127.0.0.1/healthz level=drain label=disk
probe=bgp component=dns sessions=2
timing verify=1s hold=1s,2s restarts=3
`), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := p.Watch
	if c.Name != "a" || !c.Keep || !c.Absorb || len(c.Prefixes) != 2 || len(c.Components) != 2 || len(c.Probes) != 4 || len(p.Counters) != 1 {
		t.Fatalf("%+v", c)
	}
	store, dns := c.Components[0], c.Components[1]
	if !store.Process || !store.Restart || store.Answers || p.Parts["store"].Limit != 30*time.Second {
		t.Errorf("store: %+v", store)
	}
	if !dns.Process || dns.Restart || !dns.Answers || dns.Start != 3*time.Second || dns.Busy != 100 || dns.Needs[0] != "store" {
		t.Errorf("dns: %+v", dns)
	}
	udp, disk, bgp := c.Probes[0], c.Probes[2], c.Probes[3]
	if udp.Name != "dns udp 192.0.2.53:53" || udp.Interval != 100*time.Millisecond || udp.Timeout != 100*time.Millisecond || udp.Fall != 3 || udp.Rise != 5 {
		t.Errorf("udp: %+v", udp)
	}
	if disk.Name != "disk" || disk.Level != watch.Drain || bgp.Level != watch.Tell || p.Looks[3].BGP != 2 {
		t.Errorf("disk: %+v, bgp: %+v", disk, bgp)
	}
	if c.Timing.Verify != time.Second || c.Timing.Hold[1] != 2*time.Second || c.Timing.Restarts != 3 {
		t.Errorf("timing: %+v", c.Timing)
	}
	if len(p.Outside.Questions) != 2 {
		t.Errorf("from outside: %+v", p.Outside.Questions)
	}
}

func TestParseRefused(t *testing.T) {
	const dns = "probe=dns component=dns at=127.0.0.1:1 name=a.example"
	for text, want := range map[string]string{
		"":                                 "no node= line",
		"node":                             "line 1: node= has no name",
		"node=a\nnode=b":                   "line 2: a second node= line",
		"node=a nodes=n":                   "line 1: nodes= and key= belong together",
		"node=a nodes=none key=none":       "line 1: open ",
		"node=a what":                      `line 1: unknown word "what"`,
		"node=a min-live=0":                `min-live="0" is not a number`,
		"node=a\nfoo=1":                    `line 2: unknown line "foo"`,
		"node=a\nprefix=192.0.2.1/24":      `line 2: prefix="192.0.2.1/24"`,
		"node=a\ncomponent='a b'":          `component="a b" is no name`,
		"node=a\ncomponent=d\ncomponent=d": `line 3: component="d" stands twice`,
		"node=a\ncomponent=d pid=a pid=b":  "pid= stands twice",
		"node=a\ncomponent=d limit=5":      `limit="5" is not a time`,
		"node=a\ncomponent=d limit=-5s":    `limit="-5s" is not a time`,
		"node=a\ncomponent=d busy=-1":      `busy="-1" is no rate`,
		"node=a\ncomponent=d":              "neither a process nor a fatal probe",
		"node=a\n" + dns:                   `no component "dns"`,
		"node=a\nprobe=ping component=dns": `line 2: probe="ping" is no kind`,
		"node=a\nprobe=dns":                "line 2: a probe has no component=",
		"node=a\n" + dns + " timeout=1s":   "timeout=1s is longer than interval=250ms",
		"node=a\n" + dns + " fall=x":       `fall="x" is not a number`,
		"node=a\n" + dns + " level=high":   `level="high" is none`,
		"node=a\n" + dns + "\n" + dns:      `line 3: a second probe "dns udp 127.0.0.1:1"`,
		"node=a\noutside=http":             "only dns is asked from outside",
		"node=a\noutside=dns":              "no name=",
		"node=a\noutside=dns name=a at=1":  `unknown word "at"`,
		"node=a\ntiming verify=long":       `verify="long" is not a time`,
		"node=a\ntiming=1":                 "timing has no value",
		"node=a\ntiming hold=1s,x":         `hold=: "x" is no time`,
		"node=a\n'":                        "line 2: bad attribute name",
	} {
		_, err := Parse(strings.NewReader(text), t.TempDir())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
}

func TestReadNamesFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.conf")
	if err := os.WriteFile(path, []byte("node=a\nbad\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || err.Error() != path+`: line 2: unknown line "bad"` {
		t.Errorf("%v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(onePrefix)
	f.Add("node=a\ncomponent=d pid=x busy=1 start=1s needs=e\ncomponent=e restart=y pid-file=z\ntiming hold=1s,2s\nprefix=2001:db8::/48 needs=d,e\n")
	f.Add("node=a keep\noutside=dns name=a.example type=A expect=192.0.2.1 name=b rcode=NXDOMAIN\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "nodes") || strings.Contains(text, "key") {
			return // no files of the machine
		}
		p, err := Parse(strings.NewReader(text), "nowhere")
		if err != nil {
			return
		}
		if _, err := watch.New(p.Watch, 1); err != nil {
			t.Errorf("accepted, and no watch is made of it: %v", err)
		}
		for _, l := range p.Looks {
			if l.Interval <= 0 || l.Timeout > l.Interval {
				t.Errorf("%+v", l)
			}
		}
	})
}
