package system

import (
	"net/netip"
	"path"
	"slices"
	"strings"

	"namecast/lib/resolve/upstream"
	"namecast/lib/rr"
)

const (
	resolvConf = "/etc/resolv.conf"
	// mark begins the first line of a resolv.conf that was written here.
	mark = "# Written by nc-peer -install"
	// record is the name of the stub's entry with resolvconf.
	record = "lo.namecast"
)

// A conf is what a file like resolv.conf(5) says.
type conf struct {
	servers []upstream.Server
	search  []rr.Name
	options []string
	sort    []string // lines about sorting, whole
}

// parseConf reads a resolv.conf. As the C library does, it passes over what it does
// not understand, and takes the last of several search lists.
func parseConf(text string) (c conf) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || line[0] == '#' || line[0] == ';' {
			continue
		}
		switch words[0] {
		case "nameserver":
			if s, ok := plainServer(words[1]); ok && len(c.servers) < maxServers {
				c.servers = append(c.servers, s)
			}
		case "search", "domain":
			c.search = names(words[1:])
		case "options":
			c.options = append(c.options, words[1:]...)
		case "sortlist":
			c.sort = append(c.sort, strings.Join(words, " "))
		}
	}
	return c
}

// plainServer reads an address, as resolv.conf has it.
func plainServer(text string) (upstream.Server, bool) {
	if _, err := netip.ParseAddr(text); err != nil {
		return upstream.Server{}, false
	}
	s, err := upstream.Parse(text)
	return s, err == nil
}

// names reads domains, and leaves out the root and what are none.
func names(words []string) (list []rr.Name) {
	for _, w := range words {
		n, err := rr.ParseName(strings.TrimPrefix(w, "~"))
		if n = n.Lower(); err == nil && n != "" && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

func (m Machine) conf(name string) conf { return parseConf(m.text(name)) }

// present is /etc/resolv.conf, if it is not the one that was written here.
func (m Machine) present() conf {
	text := m.text(m.target(resolvConf))
	if strings.HasPrefix(text, mark) {
		return conf{}
	}
	return parseConf(text)
}

// replaced is /etc/resolv.conf as it was before it was written here.
func (m Machine) replaced() conf { return m.conf(undoFolder + "/resolv.conf") }

// resolvconf is what was told to resolvconf(8), of Debian or of openresolv, and to
// dhcpcd's hook that does the same: what comes from this machine first, then the
// rest by name.
func (m Machine) resolvconf() (all conf) {
	var files []string
	for _, folder := range []string{"/run/resolvconf/interface", "/run/resolvconf/interfaces", "/run/resolvconf/keys", "/run/dhcpcd/hook-state/resolv.conf"} {
		files = append(files, m.list(folder)...)
	}
	slices.SortStableFunc(files, func(a, b string) int { return strings.Compare(rank(a), rank(b)) })
	for _, file := range files {
		if path.Base(file) == record {
			continue
		}
		c := m.conf(file)
		all.servers = append(all.servers, c.servers...)
		for _, n := range c.search {
			if !slices.Contains(all.search, n) {
				all.search = append(all.search, n)
			}
		}
	}
	return all
}

// rank is what the records of resolvconf are sorted by.
func rank(file string) string {
	name := path.Base(file)
	if name == "lo" || strings.HasPrefix(name, "lo.") {
		return "0" + name
	}
	return "1" + name
}
