package host

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"namecast/lib/peer/packet"
	"namecast/lib/private"
	"namecast/lib/resolve/upstream"
	"namecast/lib/rr"
)

// ErrConfig: a flag is wrong. The message says which.
var ErrConfig = errors.New("")

// Modes of the daemon.
const (
	Guard = "guard" // own name servers first, and copies to the owners
	Share = "share" // owners first
	Solo  = "solo"  // no peers
)

// DefaultPort is the UDP port of peers.
const DefaultPort = 5390

// Config is what the flags of nc-peer say.
type Config struct {
	Dir      string   // of the state, and the socket for commands
	Key      string   // file of the group's keys; "": no peers
	Listen   []string // where the stub listens
	Upstream []string // name servers, or "auto"
	Links    []string // names of links; none: all that look like a network of neighbours
	Mode     string   // Guard, Share or Solo
	Owners   int      // of a name
	MaxStale time.Duration
	Stale    time.Duration // while name servers live
	Agree    int
	DNSSEC   bool
	Anchors  string // file of trust anchors; "": those of the root
	Iterate  bool
	Hints    string   // file of the root's servers; "": those that are built in
	Secret   []string // domains of which others are never told
	Port     int
	Weight   int
	Static   []string // addresses of peers
	HTTP     string
	Names    bool   // the page shows names
	Events   string // file to which events are written
	Root     string // of the machine's files; "" is "/"
	Log      *slog.Logger
}

// A plan is a configuration that was read and checked.
type plan struct {
	Config
	keys    *packet.Keys // nil: no peers
	servers []upstream.Server
	auto    bool // the machine's own servers
	secret  []rr.Name
	static  []netip.AddrPort
}

// check reads what the flags name. All errors are ErrConfig.
func (c Config) check() (*plan, error) {
	p := &plan{Config: c}
	for _, f := range []func() error{p.checkMode, p.checkServers, p.checkNames, p.checkNumbers, p.readKeys} {
		if err := f(); err != nil {
			return nil, fmt.Errorf("%w%w", ErrConfig, err)
		}
	}
	return p, nil
}

func (p *plan) checkMode() error {
	if !slices.Contains([]string{Guard, Share, Solo}, p.Mode) {
		return fmt.Errorf("-mode %q is not guard, share or solo", p.Mode)
	}
	return nil
}

func (p *plan) checkServers() error {
	for _, spec := range p.Upstream {
		if spec == "auto" {
			p.auto = true
			continue
		}
		s, err := upstream.Parse(spec)
		if err != nil {
			return fmt.Errorf("-upstream: %w", err)
		}
		p.servers = append(p.servers, s)
	}
	if p.auto && len(p.servers) > 0 {
		return errors.New("-upstream auto stands alone")
	}
	p.auto = len(p.servers) == 0
	return nil
}

func (p *plan) checkNames() error {
	for _, text := range p.Listen {
		at, err := netip.ParseAddrPort(text)
		if err != nil {
			return fmt.Errorf("-listen %q is not ADDRESS:PORT", text)
		}
		for _, s := range p.servers {
			if s.Addr.Port() == at.Port() && (s.Addr == at || at.Addr().IsUnspecified() && s.Addr.Addr().IsLoopback()) {
				return fmt.Errorf("-upstream %v is the stub itself (-listen %s)", s, text)
			}
		}
	}
	for _, text := range p.Secret {
		n, err := rr.ParseName(text)
		if err != nil {
			return fmt.Errorf("-secret %q: %w", text, err)
		}
		p.secret = append(p.secret, n.Lower())
	}
	for _, text := range p.Static {
		a, err := netip.ParseAddrPort(text)
		if err != nil {
			addr, err := netip.ParseAddr(text)
			if err != nil {
				return fmt.Errorf("-static %q is not ADDRESS or ADDRESS:PORT", text)
			}
			a = netip.AddrPortFrom(addr, uint16(p.Port))
		}
		p.static = append(p.static, a)
	}
	return nil
}

func (p *plan) checkNumbers() error {
	switch {
	case p.Port < 1 || p.Port > 65535:
		return fmt.Errorf("-port %d is none", p.Port)
	case p.Agree < 1 || p.Agree > 2:
		return fmt.Errorf("-agree %d is not 1 or 2", p.Agree)
	case p.Owners < 1 || p.Owners > 3:
		return fmt.Errorf("-owners %d is not 1 to 3", p.Owners)
	case p.MaxStale < 0 || p.MaxStale > 7*24*time.Hour:
		return fmt.Errorf("-stale %v is not 0 to 168h", p.MaxStale)
	case p.Weight < 0 || p.Weight > 16:
		return fmt.Errorf("-weight %d is not 0 to 16", p.Weight)
	}
	return nil
}

// readKeys reads the group's keys, without which there are no peers.
func (p *plan) readKeys() error {
	if p.Key == "" || p.Mode == Solo {
		return nil
	}
	text, err := private.Load(p.Key)
	if err == nil {
		p.keys, err = packet.ParseKeys(text)
	}
	if err != nil {
		return fmt.Errorf("-key %q: %w", p.Key, private.Cause(err))
	}
	return nil
}
