package storage

import (
	"strings"
	"testing"
	"time"
)

// good is a configuration that is refused for nothing.
func good() Config {
	return Config{Name: "n1", Listen: "192.0.2.1:7153", DB: "db", Replicas: 3, Lease: time.Second}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		refuse string // what the message has; "" is none
	}{
		{"plain", func(c *Config) {}, ""},
		{"a host name", func(c *Config) { c.Listen = "n1.example.net:7153" }, ""},
		{"everywhere, and where that is", func(c *Config) { c.Listen, c.Advertise = ":7153", "192.0.2.1:7153" }, ""},
		{"everywhere", func(c *Config) { c.Listen = "0.0.0.0:7153" }, "-advertise"},
		{"no port", func(c *Config) { c.Listen = "192.0.2.1" }, `-listen "192.0.2.1"`},
		{"port 0", func(c *Config) { c.Listen = "192.0.2.1:0" }, "a number up to 65535"},
		{"no room for two more ports", func(c *Config) { c.Listen = "192.0.2.1:65534" }, "-etcd-listen"},
		{"ports of their own", func(c *Config) {
			c.Listen, c.PeerListen, c.EtcdListen = "192.0.2.1:65534", "192.0.2.1:1", "192.0.2.1:2"
		}, ""},
		{"an upper-case name", func(c *Config) { c.Name = "N1" }, `-name "N1"`},
		{"no name", func(c *Config) { c.Name = "" }, `-name ""`},
		{"too many replicas", func(c *Config) { c.Replicas = 10 }, "-replicas 10"},
		{"a minimum above them", func(c *Config) { c.MinReplicas = 4 }, "-min-replicas 4"},
		{"a token without a way", func(c *Config) { c.Join = "token" }, "-via"},
		{"two coordinators", func(c *Config) { c.Etcd, c.Peers = "https://e1:2379", "n1=192.0.2.1:7154" }, "exclude"},
		{"the first members", func(c *Config) { c.Peers = "n1=192.0.2.1:7154,n2=192.0.2.2:7154" }, ""},
		{"first members without it", func(c *Config) { c.Peers = "n2=192.0.2.2:7154" }, "n1 is to be in it"},
		{"a first member without address", func(c *Config) { c.Peers = "n1=192.0.2.1:7154,n2" }, `"n2"`},
		{"a zone", func(c *Config) { c.Zone = "ams/r1" }, ""},
		{"a zone of three", func(c *Config) { c.Zone = "a/b/c" }, "-zone"},
		{"profiles without a page", func(c *Config) { c.Pprof = true }, "-http"},
	} {
		config := good()
		c.change(&config)
		err := config.check()
		switch {
		case c.refuse == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.refuse != "" && (err == nil || !strings.Contains(err.Error(), c.refuse)):
			t.Errorf("%s: %v, want one with %q", c.name, err, c.refuse)
		}
	}
}

func TestConfigFills(t *testing.T) {
	c := good()
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	if c.Advertise != c.Listen || c.PeerListen != "192.0.2.1:7154" || c.EtcdListen != "192.0.2.1:7155" {
		t.Errorf("%+v", c)
	}
	if got := c.hosts(); len(got) != 1 || got[0] != "192.0.2.1" {
		t.Errorf("hosts %q", got)
	}
}
