package host

import (
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"namecast/lib/peer/group"
	"namecast/lib/peer/packet"
	"namecast/lib/peer/view"
	"namecast/lib/rr"
)

// A sheet is text for an operator, in columns.
func sheet(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 8, 2, ' ', 0) }

// showStatus is how things are; false if no name server answers.
func (d *daemon) showStatus(w io.Writer) bool {
	s := d.state()
	fmt.Fprintf(w, "servers %s for %v; %d of the last hour's %d lookups could be answered without them\n",
		s.Upstream, rounded(time.Duration(s.UpstreamFor*float64(time.Second))), s.Answerable, s.Of)
	t := sheet(w)
	fmt.Fprintf(t, "mode\t%s\nself\t%s\nmembers\t%d\nentries\t%d\n", s.Mode, s.Self, len(s.Members), s.Entries)
	fmt.Fprintf(t, "lookups\t%d\n  fresh\t%d\n  own, past their time\t%d\n  by members\t%d\n  from the root\t%d\n  failed\t%d\n",
		s.Asked, s.Fresh, s.Stale, s.Counters.Peer, s.Iterated, s.Failed)
	t.Flush() // to a buffer, which takes all
	state, _ := d.loop.node.Upstream()
	return state != packet.Down
}

func rounded(d time.Duration) time.Duration {
	if d > time.Minute {
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}

// showPeers is the members, a line each.
func (d *daemon) showPeers(w io.Writer) bool {
	t := sheet(w)
	fmt.Fprintln(t, "member\tlink\taddress\trtt ms\theard s\tservers\tfor s\tentries\tweight\tstate")
	for _, m := range d.state().Members {
		state := "live"
		if m.Self {
			state = "self"
		} else if !m.Live {
			state = "suspect"
		}
		addr := "-"
		if len(m.Addrs) > 0 {
			addr = m.Addrs[0]
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.2f\t%.0f\t%s\t%.0f\t%d\t%d\t%s\n", m.ID, orDash(m.Link), addr, m.RTT, m.Seen, m.Upstream,
			m.UpstreamFor, m.Entries, m.Weight, state)
	}
	t.Flush()
	return true
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// maxShown is how many entries of the cache are shown.
const maxShown = 10_000

// showCache is what is kept.
func (d *daemon) showCache(w io.Writer) bool {
	t := sheet(w)
	fmt.Fprintln(t, "name\ttype\tage s\tttl s\tstate\tfrom\towner")
	shown := 0
	for e := range d.loop.node.Entries {
		if shown++; shown > maxShown {
			break
		}
		from := "own servers"
		if !e.First {
			from = e.Origin.String()
		}
		owner := "-"
		if e.Rank >= 0 {
			owner = strconv.Itoa(int(e.Rank) + 1)
		}
		fmt.Fprintf(t, "%s\t%s\t%.0f\t%d\t%s\t%s\t%s\n", e.Name.FQDN(), rr.Type(e.Type), e.Age(d.now()).Seconds(), e.MinTTL,
			stateWord(e.StateAt(d.now())), from, owner)
	}
	t.Flush()
	return true
}

var stateWords = [...]string{packet.Unknown: "unknown", packet.Insecure: "insecure", packet.Secure: "secure"}

func stateWord(s packet.State) string {
	if int(s) < len(stateWords) {
		return stateWords[s]
	}
	return "unknown"
}

// showUpstream is the name servers; false if none answers.
func (d *daemon) showUpstream(w io.Writer) bool {
	t := sheet(w)
	fmt.Fprintln(t, "server\tstate\tms")
	for _, s := range d.state().Servers {
		fmt.Fprintf(t, "%s\t%s\t%s\n", s.Name, s.State, view.Took(s.Ms))
	}
	for _, x := range d.loop.split.domains {
		for _, c := range x.servers {
			fmt.Fprintf(t, "%s\tfor %s\t\n", c.Server(), x.name.FQDN())
		}
	}
	t.Flush()
	d.showBlind(w)
	state, _ := d.loop.node.Upstream()
	return state != packet.Down
}

// showStats is counters, a name and a number a line.
func (d *daemon) showStats(w io.Writer) bool {
	l := d.loop
	c := l.counters()
	line := func(name string, n any) { fmt.Fprintf(w, "%s\t%v\n", name, n) }
	line("asked", c.Asked)
	line("fresh", c.Fresh)
	line("stale", c.Stale)
	line("peer", c.Peer)
	line("iterated", c.Iterated)
	line("failed", c.Failed)
	s, k := l.node.Stats(), l.node.Kept()
	for _, x := range []struct {
		name string
		n    uint64
	}{
		{"fetches", s.Fetches}, {"probes", s.Probes}, {"timeouts", s.Timeouts}, {"unreachable", s.Unreachable},
		{"iterations", s.Iterations}, {"asks", s.Asks}, {"calls", s.Calls}, {"answers", s.Answers},
		{"unasked", s.Unasked}, {"refused", s.Refused}, {"puts", s.Puts}, {"put_records", s.PutRecords},
		{"inquired", s.Inquired}, {"told", s.Told}, {"helped", s.Helped}, {"given", s.Given}, {"kept", s.Kept},
		{"audits", s.Audits}, {"lies", s.Lies}, {"forgotten", s.Forgotten}, {"bogus", s.Bogus},
		{"entries", uint64(k.Entries)}, {"entries_own", uint64(k.Own)}, {"entries_owned", uint64(k.Owned)},
		{"octets", uint64(k.Octets)}, {"evicted", k.Evicted},
	} {
		line(x.name, x.n)
	}
	line("pending", len(l.pending))
	line("goroutines", runtime.NumGoroutine())
	line("stub_dropped", d.stub.dropped()+l.crowded)
	line("stub_refused_connections", d.stub.refused.Load())
	line("peer_flooded", l.flooded())
	if l.group != nil {
		showGroup(l.group, line)
	}
	return true
}

// showGroup is the counters of the group.
func showGroup(of *group.Group, line func(string, any)) {
	g := of.Stats()
	for r, n := range g.Received {
		line("received_"+strings.ReplaceAll(group.Reason(r).String(), " ", "_"), n)
	}
	line("sent_unicast", g.Sent)
	line("sent_multicast", g.Multicast)
	line("sent_octets", g.SentOctets)
	line("too_big", g.TooBig)
	line("candidates", g.Candidates)
	line("known", g.Known)
	line("quiet_links", g.Quiet)
	line("members", of.Size())
}
