package system

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"namecast/lib/resolve/upstream"
	"namecast/lib/rr"
)

// A link is what systemd knows of the name servers behind one network interface.
type link struct {
	servers []upstream.Server
	domains []rr.Name
	general bool // its servers may be asked for any name
}

// linkFolder has the files of systemd-resolved about links that systemd-networkd
// does not look after.
const linkFolder = "/run/systemd/resolve/netif"

// links is what resolvectl said, and when the files had changed last then.
type links struct {
	mu    sync.Mutex
	stamp time.Time
	list  []link
}

// links finds out what systemd-networkd, and who else told systemd-resolved, has
// set for each interface.
func (m Machine) links() (list []link) {
	for _, file := range m.list("/run/systemd/netif/links") {
		v := variables(m.text(file))
		list = append(list, newLink(v["DNS"], v["DOMAINS"], v["ROUTE_DOMAINS"], v["DNS_DEFAULT_ROUTE"]))
	}
	if _, err := os.ReadDir(m.path(linkFolder)); errors.Is(err, fs.ErrPermission) {
		list = append(list, m.ask()...)
	}
	for _, file := range m.list(linkFolder) {
		v := variables(m.text(file))
		list = append(list, mixedLink(v["SERVERS"], v["DOMAINS"], v["DEFAULT_ROUTE"]))
	}
	return slices.DeleteFunc(list, func(l link) bool { return len(l.servers) == 0 })
}

// mixedLink takes domains of which those that only lead to the link have a "~".
func mixedLink(servers, domains, general string) link {
	var search, route []string
	for _, d := range strings.Fields(domains) {
		if strings.HasPrefix(d, "~") {
			route = append(route, d)
		} else {
			search = append(search, d)
		}
	}
	return newLink(servers, strings.Join(search, " "), strings.Join(route, " "), general)
}

// ask has resolvectl say what is in files that only root can read; again only when
// they have changed.
func (m Machine) ask() []link {
	info, err := os.Stat(m.path(linkFolder))
	if err != nil {
		return nil
	}
	told := m.told
	if told == nil {
		told = new(links)
	}
	told.mu.Lock()
	defer told.mu.Unlock()
	if told.stamp.Equal(info.ModTime()) {
		return told.list
	}
	var said [3]string
	for i, what := range []string{"dns", "domain", "default-route"} {
		if said[i], err = m.run("", "resolvectl", what); err != nil {
			return nil
		}
	}
	told.stamp, told.list = info.ModTime(), parseResolvectl(said[0], said[1], said[2])
	return told.list
}

// parseResolvectl reads what resolvectl says of servers, domains and whether a link
// is for all names, in lines like "Link 3 (eth0): 192.0.2.1".
func parseResolvectl(servers, domains, general string) (list []link) {
	read := func(text string) map[string]string {
		values := make(map[string]string)
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "):")
			if strings.HasPrefix(name, "Link ") {
				values[name] = strings.TrimSpace(value)
			}
		}
		return values
	}
	s, d, g := read(servers), read(domains), read(general)
	for _, name := range slices.Sorted(maps.Keys(s)) {
		list = append(list, mixedLink(s[name], d[name], g[name]))
	}
	return list
}

// newLink decides as systemd-resolved does whether a link's servers are for all
// names: if nothing else is said, and it has the root among its domains or none
// that only lead to it.
func newLink(servers, search, route, general string) link {
	l := link{domains: names(append(strings.Fields(search), strings.Fields(route)...))}
	for _, text := range strings.Fields(servers) {
		if s, ok := linkServer(text); ok && len(l.servers) < maxServers {
			l.servers = append(l.servers, s)
		}
	}
	routes := strings.Fields(route)
	root := slices.ContainsFunc(routes, func(d string) bool { return strings.Trim(d, "~.") == "" })
	l.general = root || general == "yes" || general != "no" && len(routes) == 0
	return l
}

// linkServer reads ADDR[:PORT][%LINK][#NAME]. The name is for DNS over TLS, which
// is systemd's to use or not, and is left aside; so is the link but for addresses
// that mean nothing without it.
func linkServer(text string) (upstream.Server, bool) {
	text, _, _ = strings.Cut(text, "#")
	text, zone, _ := strings.Cut(text, "%")
	s, err := upstream.Parse(text)
	if err != nil || s.Proto != upstream.Plain {
		return upstream.Server{}, false
	}
	if a := s.Addr.Addr(); a.Is6() && a.IsLinkLocalUnicast() {
		s.Addr = netip.AddrPortFrom(a.WithZone(zone), s.Addr.Port())
	}
	return s, true
}

// variables reads lines of NAME=VALUE. A name that stands twice has both values,
// with a space between, unless an empty one comes in between: as in the
// configuration of systemd.
func variables(text string) map[string]string {
	v := make(map[string]string)
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !ok || strings.HasPrefix(name, "#") || strings.HasPrefix(name, ";"):
		case value == "" || v[name] == "":
			v[name] = value
		default:
			v[name] += " " + value
		}
	}
	return v
}

// split lists the domains that links have servers for.
func (m Machine) split(links []link) (list []Split) {
	servers := make(map[rr.Name][]upstream.Server)
	for _, l := range links {
		for _, d := range l.domains {
			servers[d] = m.others(append(servers[d], l.servers...))
		}
	}
	for d, s := range servers {
		if len(s) > 0 {
			list = append(list, Split{d, s})
		}
	}
	slices.SortFunc(list, func(a, b Split) int { return cmp.Compare(a.Domain, b.Domain) })
	return list[:min(len(list), maxSplit)]
}

// onlySplit lists servers that are there for some domains only.
func onlySplit(links []link) (list []upstream.Server) {
	for _, l := range links {
		if !l.general {
			list = append(list, l.servers...)
		}
	}
	return slices.DeleteFunc(list, func(s upstream.Server) bool {
		return slices.ContainsFunc(links, func(l link) bool { return l.general && slices.Contains(l.servers, s) })
	})
}

// resolved is what systemd-resolved asks: the servers of the links, and those of
// its configuration, of which it forgets while the stub stands in their place.
func (m Machine) resolved() conf {
	if !m.exists("/run/systemd/resolve") {
		return conf{}
	}
	c := m.conf("/run/systemd/resolve/resolv.conf")
	for _, text := range strings.Fields(m.resolvedSetting("DNS")) {
		if s, ok := linkServer(text); ok {
			c.servers = append(c.servers, s)
		}
	}
	return c
}

// resolvedSetting is a value of systemd-resolved's configuration without what was
// written here: files of a name in /etc go before those in /run and /usr/lib, and
// drop-ins are read by their names, after the main file.
func (m Machine) resolvedSetting(name string) string {
	var text string
	dropins := make(map[string]string) // base name: path
	for _, folder := range []string{"/usr/lib/systemd", "/run/systemd", "/etc/systemd"} {
		if main := m.text(folder + "/resolved.conf"); main != "" {
			text = main
		}
		for _, file := range m.list(folder + "/resolved.conf.d") {
			dropins[path.Base(file)] = file
		}
	}
	order := make([]string, 0, len(dropins))
	for base, file := range dropins {
		if strings.HasSuffix(base, ".conf") && file != resolvedDropIn {
			order = append(order, base)
		}
	}
	slices.Sort(order)
	for _, base := range order {
		text += "\n" + m.text(dropins[base])
	}
	return variables(text)[name]
}
