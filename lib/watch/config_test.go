package watch

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var badConfigs = []struct {
	name string
	do   func(*Config)
	want string
}{
	{"no chance", func(c *Config) { c.Rand = nil }, "no source of chance"},
	{"min live", func(c *Config) { c.MinLive = -1 }, "-1 nodes have to stay"},
	{"negative time", func(c *Config) { c.Timing.Verify = -1 }, "a time of -1ns"},
	{"no restarts", func(c *Config) { c.Timing.Restarts = -1 }, "a count below one"},
	{"backoff", func(c *Config) { c.Timing.Backoff = time.Minute }, "pauses between restarts from 1m0s to 30s"},
	{"fresh", func(c *Config) { c.Timing.Fresh = time.Second / 2 }, "heartbeats every 500ms that are believed for 500ms"},
	{"lease", func(c *Config) { c.Timing.Lease = 2 * time.Minute }, "votes every 5s that hold for 2m0s"},
	{"hold", func(c *Config) { c.Timing.Hold = []time.Duration{2, 1} }, "hold-downs that do not grow"},
	{"no name", func(c *Config) { c.Components[0].Name = "" }, "a component without a name"},
	{"twice", func(c *Config) { c.Components[1].Name = "dns" }, "component dns twice"},
	{"negative", func(c *Config) { c.Components[1].Busy = -1 }, "component store: a negative number"},
	{"nothing to look at", func(c *Config) { c.Probes = c.Probes[:3] }, "component update has neither a process nor a fatal probe"},
	{"unknown need", func(c *Config) { c.Components[0].Needs = []string{"x"} }, `component dns needs "x", which is none`},
	{"circle", func(c *Config) { c.Components[1].Needs = []string{"update"} }, "components that need each other"},
	{"unnamed probe", func(c *Config) { c.Probes[0].Name = "" }, "a probe without a name"},
	{"probe twice", func(c *Config) { c.Probes[0].Name = "http" }, "probe http twice"},
	{"probe of none", func(c *Config) { c.Probes[0].Component = "x" }, `probe udp is of component "x", which is none`},
	{"level", func(c *Config) { c.Probes[0].Level = 9 }, "probe udp: no such level"},
	{"fall", func(c *Config) { c.Probes[0].Fall = -1 }, "probe udp: a negative number"},
	{"host bits", func(c *Config) { c.Prefixes[0].Prefix = netip.MustParsePrefix("192.0.2.1/24") }, "prefix 192.0.2.1/24"},
	{"prefix twice", func(c *Config) { c.Prefixes = append(c.Prefixes, c.Prefixes[0]) }, "prefix 192.0.2.0/24 twice"},
	{"nothing to watch", func(c *Config) { c.Components, c.Probes = nil, nil }, "prefix 192.0.2.0/24 and no component"},
	{"prefix needs", func(c *Config) { c.Prefixes[0].Needs = []string{"x"} }, `prefix 192.0.2.0/24 needs "x", which is no component`},
	{"itself", func(c *Config) { c.Peers[0].Name = "a" }, `node "a" twice, or without a name`},
}

func TestBadConfigs(t *testing.T) {
	for _, test := range badConfigs {
		t.Run(test.name, func(t *testing.T) {
			c := standard("b")
			test.do(&c)
			_, err := New(c, 1)
			if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// TestConfigIsNotChanged: defaults are set in a copy.
func TestConfigIsNotChanged(t *testing.T) {
	c := standard("b")
	if _, err := New(c, 1); err != nil {
		t.Fatal(err)
	}
	if c.Probes[0].Interval != 0 || c.Components[0].Start != 0 {
		t.Errorf("%+v %+v", c.Probes[0], c.Components[0])
	}
}

func TestCheckPrefixes(t *testing.T) {
	one, other := []Prefix{{Prefix: net4}}, []Prefix{{Prefix: net6}}
	both := append(one[:1:1], other...)
	for _, good := range [][2][]Prefix{{one, one}, {one, both}, {both, one}, {nil, one}, {nil, nil}} {
		if err := CheckPrefixes(good[0], good[1]); err != nil {
			t.Errorf("%v to %v: %v", good[0], good[1], err)
		}
	}
	for _, bad := range [][2][]Prefix{{one, other}, {both, nil}} {
		if err := CheckPrefixes(bad[0], bad[1]); !errors.Is(err, ErrDrops) {
			t.Errorf("%v to %v: %v", bad[0], bad[1], err)
		}
	}
}
