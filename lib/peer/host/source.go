package host

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"namecast/lib/peer"
	"namecast/lib/peer/group"
	"namecast/lib/peer/packet"
	"namecast/lib/peer/view"
)

// A source shows the daemon to the page. It implements [view.Source].
type source struct{ *daemon }

// State is how things are now.
func (d source) State(ctx context.Context) (s view.State, err error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	err = d.loop.call(ctx, func() { s = d.state() })
	return s, err
}

// Events gives what has happened lately, and what does.
func (d source) Events(_ context.Context, after int64) ([]view.Event, <-chan view.Event, func(), error) {
	return d.loop.tracer.follow(after)
}

// Why says how a name would be answered.
func (d source) Why(ctx context.Context, name, typ string) (text string, err error) {
	if !d.Names {
		return "", errors.New("names are shown with -show-names only")
	}
	q, err := parseQuestion(name, typ)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	err = d.loop.call(ctx, func() { text = d.loop.node.Why(q) })
	return text, err
}

// state is for the loop.
func (d *daemon) state() view.State {
	l := d.loop
	l.step(peer.Tick{}) // the Node's time is that of its last event
	up, since := l.node.Upstream()
	able, of := l.node.Readiness(d.now())
	s := view.State{
		At: time.Now().UnixMilli(), Self: l.tracer.me(), Mode: d.mode(), Upstream: up.String(), UpstreamFor: since.Seconds(),
		Answerable: able, Of: of, Counters: shown(l.counters()), Entries: l.node.Kept().Entries, Names: d.Names,
	}
	for i, x := range l.node.Servers() {
		if i < len(l.workers.servers) {
			s.Servers = append(s.Servers, view.Server{
				Name: l.workers.servers[i].Server().String(), State: x.State.String(), Ms: ms(x.Median),
			})
		}
	}
	me := view.Member{
		Trust: 1, ID: s.Self, Self: true, Live: true, Upstream: s.Upstream, UpstreamFor: s.UpstreamFor,
		Entries: s.Entries, Weight: d.Weight, Version: version, Counters: s.Counters,
	}
	var links []string
	for _, k := range l.links {
		links = append(links, k.Name)
		for _, a := range k.Addrs {
			me.Addrs = append(me.Addrs, a.Addr().String())
		}
	}
	me.Link = each(links)
	s.Members = append(s.Members, me)
	s.Kept = d.kept()
	if l.group != nil {
		for _, m := range l.group.Members() {
			s.Members = append(s.Members, d.member(m))
		}
	}
	return s
}

// mode is that of the flags, or what has become of it.
func (d *daemon) mode() string {
	switch {
	case d.loop.group == nil:
		return Solo
	case d.loop.paused:
		return "paused"
	}
	return d.Mode
}

// member is what is shown of another.
func (d *daemon) member(m group.Member) view.Member {
	v := view.Member{
		Trust: d.loop.node.Trust(m.ID), ID: m.ID.String(), Live: !m.Suspect, Upstream: m.Upstream.String(), UpstreamFor: m.UpstreamFor.Seconds(),
		RTT: ms(m.SRTT), Entries: int(m.Entries), Weight: int(m.Weight), Version: int(m.Version),
		Seen: max(0, (d.now() - m.Heard).Seconds()), Counters: shown(m.Counters),
	}
	for _, a := range m.Addrs {
		v.Addrs = append(v.Addrs, a.String())
	}
	v.Link = each(m.Links)
	return v
}

// each is a list of links, where several addresses may be on one.
func each(links []string) string {
	var names []string
	for _, l := range links {
		if !slices.Contains(names, l) {
			names = append(names, l)
		}
	}
	return strings.Join(names, ",")
}

// maxLooked is how many entries are looked at for their ages.
const maxLooked = 5000

// kept is what is in the cache, and how old that is.
func (d *daemon) kept() view.Kept {
	k := d.loop.node.Kept()
	v := view.Kept{Own: k.Own, Owned: k.Owned, Ages: make([]int, len(view.Ages)+1)}
	looked := 0
	for e := range d.loop.node.Entries {
		if looked++; looked > maxLooked {
			break
		}
		at, _ := slices.BinarySearch(view.Ages, e.Age(d.now()))
		v.Ages[at]++
	}
	return v
}

// shown are counters as the page has them.
func shown(c packet.Counters) view.Counters {
	return view.Counters{Asked: c.Asked, Fresh: c.Fresh, Stale: c.Stale, Peer: c.Peer, Iterated: c.Iterated, Failed: c.Failed}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// servePage serves the page until ctx ends.
func (d *daemon) servePage(ctx context.Context) error {
	srv := &http.Server{
		Handler: view.Handler(source{d}), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
	}
	defer context.AfterFunc(ctx, func() { srv.Close() })()
	if err := srv.Serve(d.http); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the page: %w", err)
	}
	return nil
}
