package claim

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"github.com/miekg/dns"

	"namecast/lib/rr"
)

// SystemResolvers reads the recursive servers of a resolv.conf(5) file.
func SystemResolvers(path string) ([]netip.AddrPort, error) {
	conf, err := dns.ClientConfigFromFile(path)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(conf.Port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("read %s: bad port %q", path, conf.Port)
	}
	var out []netip.AddrPort
	for _, s := range conf.Servers {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf("read %s: bad address %q", path, s)
		}
		out = append(out, netip.AddrPortFrom(a, uint16(port)))
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("read %s: no nameserver line", path)
	}
	return out, nil
}

// resolve asks the resolvers in turn. The answer may be SERVFAIL if they all
// say so. Trusted reports whether its AD bit means something.
func (r *run) resolve(ctx context.Context, name rr.Name, qtype uint16) (m *dns.Msg, trusted bool, err error) {
	wait := 2 * r.patience()
	var failed *dns.Msg
	for range or(r.Rounds, 2) {
		for _, to := range r.resolvers {
			m, err := r.send(ctx, to, name, qtype, true, wait)
			switch {
			case err == errSpent:
				return nil, false, err
			case err != nil:
			case m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError:
				return m, r.TrustResolver || to.Addr().IsLoopback(), nil
			default:
				failed, trusted = m, trusted || r.TrustResolver || to.Addr().IsLoopback()
			}
		}
		if failed != nil {
			return failed, trusted, nil
		}
		wait *= 2
	}
	return nil, false, fmt.Errorf("%w: the resolver is silent about %s %s; try again later", ErrTimeout, show(name), rr.Type(qtype))
}

// maxStarts is the number of a domain's suffixes tried as the zone to start at.
const maxStarts = 4

// start finds the zone where the walk begins: the shortest proper suffix of the
// domain that the resolver knows name servers of, the root coming last.
func (r *run) start(ctx context.Context) (zone, error) {
	for _, name := range starts(r.proof.Parent()) {
		m, _, err := r.resolve(ctx, name, dns.TypeNS)
		if err != nil {
			return zone{}, err
		}
		if m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError {
			return zone{}, fmt.Errorf("%w: the resolver %s about %s; try again later", ErrTimeout, rcode(m), show(name))
		}
		var hosts []host
		for _, rec := range m.Answer {
			if ns, ok := rec.(*dns.NS); ok && is(ns.Hdr.Name, name) {
				if n, ok := nameOf(ns.Ns); ok {
					hosts = append(hosts, host{name: n})
				}
			}
		}
		if len(hosts) > 0 {
			return r.enter(ctx, name, hosts)
		}
	}
	return zone{}, fmt.Errorf("%w: the resolver knows no servers above %s", ErrTimeout, r.proof.Parent())
}

// starts gives the zones to try: the top-level domain, up to three names below
// it that are above the domain, the root.
func starts(domain rr.Name) []rr.Name {
	var list []rr.Name
	for n := domain.Parent(); n != ""; n = n.Parent() {
		list = append(list, n)
	}
	slices.Reverse(list)
	return append(list[:min(maxStarts, len(list))], "")
}

// enter finds the addresses of a zone's servers: the glue that came with the
// delegation, and the resolver for the others.
func (r *run) enter(ctx context.Context, name rr.Name, hosts []host) (zone, error) {
	hosts = r.shuffle(name, hosts)
	ctx, cancel := context.WithTimeout(ctx, or(r.Timeout, DefaultTimeout)/3)
	defer cancel()
	var lookups sync.WaitGroup
	for i, h := range hosts {
		if len(h.glue) == 0 {
			lookups.Go(func() { hosts[i].glue = r.lookup(ctx, h.name) })
		}
	}
	lookups.Wait()
	z := zone{name: name}
	refused := false
	for k := range 2 * maxGlue { // the first address of each, then the second ones
		for _, h := range hosts {
			if k >= len(h.glue) || slices.Contains(z.servers, h.glue[k]) || len(z.servers) == maxServers {
				continue
			}
			if r.AllowPrivate || public(h.glue[k]) {
				z.servers = append(z.servers, h.glue[k])
			} else {
				refused = true
			}
		}
	}
	switch {
	case len(z.servers) > 0:
		return z, nil
	case refused:
		return z, fmt.Errorf("%w: those of %s are not at public addresses", ErrTimeout, show(name))
	}
	return z, fmt.Errorf("%w: those of %s have no address, the first is %s", ErrTimeout, show(name), hosts[0].name)
}

// lookup gives the addresses that the resolver knows of a server name. The
// resolver follows aliases, so the owners of the addresses may differ.
func (r *run) lookup(ctx context.Context, name rr.Name) []netip.Addr {
	var out []netip.Addr
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		if m, _, err := r.resolve(ctx, name, qtype); err == nil {
			out = append(out, addresses(m.Answer, func(string) bool { return true })...)
		}
	}
	return out
}
