// Package system knows the machine's resolver: which name servers the machine was
// given, by whatever manages its network, and how to put the stub in their place so
// that it can be taken back.
//
// # What is read
//
// [Machine.Servers] takes the first of these that names a server which is not the
// stub itself:
//
//	/run/NetworkManager/no-stub-resolv.conf, resolv.conf
//	/run/systemd/resolve/resolv.conf      what systemd-resolved asks itself
//	/run/resolvconf                       what was told to resolvconf or openresolv
//	/etc/resolv.conf                      unless it was written here
//	/etc/namecast/resolver.undo           /etc/resolv.conf as it was before
//
// Domains that have servers of their own, as VPNs bring them, are taken from the
// files of systemd-resolved and systemd-networkd about each link. These are not a
// documented interface; what cannot be read in them is passed over. Only root can
// read those of systemd-resolved; others have resolvectl say it.
//
// # What is changed
//
// [Machine.Plan] says what taking over means on this machine, by who answers
// programs that look names up:
//
//	systemd-resolved   a drop-in has it ask the stub for all but the links' own
//	                   domains; it is in /run, so that a restart of the machine
//	                   undoes it
//	NetworkManager     a drop-in has it leave /etc/resolv.conf alone, which is
//	                   written like a file of nobody's
//	resolvconf         the stub is told to it as the server on this machine
//	nobody             /etc/resolv.conf is kept elsewhere, and written
//
// The stub is the only server in /etc/resolv.conf: with a second one, the C library
// takes a failure that the stub reports at once as a reason to ask that one, which
// may be silent for ten seconds.
package system

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"namecast/lib/resolve/upstream"
	"namecast/lib/rr"
)

// ErrNone: the machine names no server that could be asked.
var ErrNone = errors.New("the machine has no name server")

const (
	maxServers = 8       // of the machine, and of a domain
	maxSplit   = 64      // domains with servers of their own
	maxFile    = 1 << 18 // octets of a file that is read
)

// A Machine is where the files are. The zero Machine is this one.
type Machine struct {
	// Root is the folder that stands for "/"; empty: "/" itself.
	Root string
	// Own are the addresses that the stub listens at, and are never a server of it.
	// Of an unspecified address all of the loopback network is meant.
	Own []netip.AddrPort
	// Run runs a command with a text as its standard input, and gives what it says;
	// nil: as a process.
	Run func(input string, command ...string) (string, error)

	told *links // what resolvectl said last; nil: it is asked each time
}

// Remember is the machine for who asks again and again: programs are run only when
// what they say may have changed. It may be copied.
func (m Machine) Remember() Machine {
	m.told = new(links)
	return m
}

// Found is what the machine says of its name servers.
type Found struct {
	Servers []upstream.Server // in their order, at most 8; none of them twice
	Source  string            // where they stood, for people
	Search  []rr.Name         // what programs append to names
	Split   []Split           // domains that not all of Servers are for, by name
}

// A Split is a domain with servers of its own. Its names are nobody else's business.
// A domain that has all of the machine's servers is none.
type Split struct {
	Domain  rr.Name // in lower case
	Servers []upstream.Server
}

// knownTo tells whether all of the servers are for the domain.
func (d Split) knownTo(servers []upstream.Server) bool {
	return !slices.ContainsFunc(servers, func(s upstream.Server) bool { return !slices.Contains(d.Servers, s) })
}

// Equal tells whether two are the same.
func (f Found) Equal(g Found) bool {
	return f.Source == g.Source && slices.Equal(f.Servers, g.Servers) && slices.Equal(f.Search, g.Search) &&
		slices.EqualFunc(f.Split, g.Split, func(a, b Split) bool {
			return a.Domain == b.Domain && slices.Equal(a.Servers, b.Servers)
		})
}

// A source is one way in which machines name their servers.
type source struct {
	name string
	read func(Machine) conf
}

// sources are tried in their order.
var sources = []source{
	{"NetworkManager", func(m Machine) conf { return m.conf("/run/NetworkManager/no-stub-resolv.conf") }},
	{"NetworkManager", func(m Machine) conf { return m.conf("/run/NetworkManager/resolv.conf") }},
	{"systemd-resolved", Machine.resolved},
	{"resolvconf", Machine.resolvconf},
	{"/etc/resolv.conf", Machine.present},
	{"the resolv.conf that was replaced", Machine.replaced},
}

// Servers reads what the machine says now. The error is ErrNone; split domains may
// have been found all the same.
func (m Machine) Servers() (Found, error) {
	links := m.links()
	found := Found{Split: m.split(links)}
	private := onlySplit(links)
	for _, s := range sources {
		c := s.read(m)
		servers := slices.DeleteFunc(m.others(c.servers), func(s upstream.Server) bool { return slices.Contains(private, s) })
		if len(servers) > 0 {
			found.Servers, found.Source, found.Search = servers, s.name, c.search
			found.Split = slices.DeleteFunc(found.Split, func(d Split) bool { return d.knownTo(servers) })
			return found, nil
		}
	}
	return found, ErrNone
}

// others leaves out the stub, what leads to it, and what stands there twice.
func (m Machine) others(servers []upstream.Server) (list []upstream.Server) {
	for _, s := range servers {
		if !slices.Contains(list, s) && !m.own(s.Addr) && len(list) < maxServers {
			list = append(list, s)
		}
	}
	return list
}

// resolvedStubs are the addresses at which systemd-resolved answers; it would ask
// us again.
var resolvedStubs = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 53}), netip.AddrFrom4([4]byte{127, 0, 0, 54})}

// own tells whether a question sent to a place would come back.
func (m Machine) own(at netip.AddrPort) bool {
	if slices.Contains(resolvedStubs, at.Addr()) && m.exists("/run/systemd/resolve") {
		return true
	}
	return slices.ContainsFunc(m.Own, func(o netip.AddrPort) bool {
		return o == at || o.Port() == at.Port() && o.Addr().IsUnspecified() && at.Addr().IsLoopback()
	})
}

// path is where a file of the machine is.
func (m Machine) path(name string) string {
	if m.Root == "" {
		return name
	}
	return filepath.Join(m.Root, name)
}

func (m Machine) exists(name string) bool {
	_, err := os.Stat(m.path(name))
	return err == nil
}

// text reads a file of the machine; "" if it cannot be read.
func (m Machine) text(name string) string {
	f, err := os.Open(m.path(name))
	if err != nil {
		return ""
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return ""
	}
	return string(text)
}

// list gives the paths of the files in a folder, by name.
func (m Machine) list(folder string) (names []string) {
	entries, err := os.ReadDir(m.path(folder))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, filepath.Join(folder, e.Name()))
		}
	}
	return names
}

// target follows the symbolic links of the machine from a name to what is no link,
// whether that exists or not.
func (m Machine) target(name string) string {
	for range 8 {
		to, err := os.Readlink(m.path(name))
		if err != nil {
			return name
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(name), to)
		}
		name = filepath.Clean(to)
	}
	return name
}
