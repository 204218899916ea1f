package health

import (
	"context"
	"sync/atomic"

	"namecast/lib/status"
	"namecast/lib/watch"
)

// metrics are the numbers of now; none if the loop does not answer, which
// watch_answers says.
func (d *daemon) metrics() []status.Metric {
	v, err := d.look(context.Background())
	list := []status.Metric{gauge("watch_answers", "Whether the decision loop answers.", nil, truth(err == nil))}
	if err != nil {
		return list
	}
	for _, p := range v.shot.Prefixes {
		labels := map[string]string{"prefix": p.Prefix.String()}
		list = append(list,
			gauge("watch_route", "The decision about a prefix: 0 withdrawn, 1 drained, 2 announced.", labels, float64(p.Route)),
			gauge("watch_held_seconds", "Time until a prefix that is verified is announced again.", labels, max(0, (p.Hold-v.now).Seconds())),
			gauge("watch_ordered", "Whether other nodes have ordered a prefix withdrawn.", labels, truth(p.Ordered > v.now)))
	}
	for _, c := range v.shot.Components {
		labels := map[string]string{"component": c.Name}
		list = append(list,
			gauge("watch_component_well", "Whether a component is well.", labels, truth(c.State == "well")),
			gauge("watch_component_given_up", "Whether a component was given up after too many restarts.", labels, truth(c.GivenUp)),
			gauge("watch_component_restarts", "Restarts of a component lately.", labels, float64(c.Restarts)))
	}
	for _, p := range v.shot.Probes {
		labels := map[string]string{"probe": p.Name, "component": p.Component}
		list = append(list,
			gauge("watch_probe_passing", "Whether a probe passes.", labels, truth(p.State == "passing")),
			gauge("watch_probe_bad", "Looks of a probe that failed in a row.", labels, float64(p.Bad)))
	}
	for _, p := range v.shot.Peers {
		labels := map[string]string{"node": p.Name}
		list = append(list,
			gauge("watch_node_heard", "Whether another node was heard lately.", labels, truth(p.Fresh)),
			gauge("watch_node_outside_bad", "Looks at another node from outside that failed in a row.", labels, float64(p.Bad)),
			gauge("watch_node_voted", "Whether this node votes against another.", labels, truth(p.Voting != "")))
	}
	list = append(list, gauge("watch_discarded", "Results thrown away since this node was late.", nil, float64(v.shot.Discarded)))
	list = append(list, d.totals()...)
	return append(append(list, d.linkMetrics(v)...), d.datagrams()...)
}

// totals count what was done since the start.
func (d *daemon) totals() (list []status.Metric) {
	count := func(name, help string, labels map[string]string, n *atomic.Uint64) {
		list = append(list, status.Metric{Name: name, Help: help, Labels: labels, Value: func() float64 { return float64(n.Load()) }})
	}
	c := &d.loop.counts
	for _, r := range []watch.Route{watch.Withdraw, watch.Last, watch.Announce} {
		count("watch_changes_total", "Changes of a decision about a prefix.", map[string]string{"to": r.String()}, &c.changes[r])
	}
	count("watch_restarts_total", "Restart commands run.", nil, &c.restarts)
	count("watch_votes_total", "Votes against other nodes.", nil, &c.votes)
	return list
}

// linkMetrics are those of nc-bgp.
func (d *daemon) linkMetrics(v *view) []status.Metric {
	list := []status.Metric{gauge("watch_linked", "Whether route lines can be written.", nil, truth(v.linked))}
	for _, s := range v.sessions {
		list = append(list, gauge("watch_session", "Whether nc-bgp's session with a neighbour is established.",
			map[string]string{"neighbour": s.Addr.String()}, truth(s.Is == "established")))
	}
	return list
}

// datagrams count those between the nodes.
func (d *daemon) datagrams() (list []status.Metric) {
	if d.peers == nil {
		return nil
	}
	for _, m := range []struct {
		result string
		n      uint64
	}{{"sent", d.peers.sent.Load()}, {"failed", d.peers.failed.Load()}, {"taken", d.peers.taken.Load()}, {"refused", d.peers.refused.Load()}} {
		list = append(list, status.Metric{Name: "watch_datagrams_total", Help: "Heartbeats and votes between the nodes.",
			Labels: map[string]string{"result": m.result}, Value: func() float64 { return float64(m.n) }})
	}
	return list
}

func gauge(name, help string, labels map[string]string, value float64) status.Metric {
	return status.Metric{Name: name, Help: help, Labels: labels, Gauge: true, Value: func() float64 { return value }}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
