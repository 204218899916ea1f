package storage

import (
	"strconv"
	"sync/atomic"
	"time"

	"namecast/lib/chain/host"
	"namecast/lib/chain/plan"
	"namecast/lib/status"
)

// metrics are the numbers of the node as a whole, in the order of the page.
func (d *daemon) metrics() []status.Metric {
	list := []status.Metric{
		{Name: "chain_disk_batches_total", Help: "Batches of replicas written to the disk.", Value: func() float64 { return float64(d.disk.Stats().Batches) }},
		{Name: "chain_disk_writes_total", Help: "Writes to the disk, each with one fsync for all batches that waited.", Value: func() float64 { return float64(d.disk.Stats().Writes) }},
		{Name: "chain_disk_seconds_total", Help: "Time that writes to the disk took.", Value: func() float64 { return d.disk.Stats().Time.Seconds() }},
		{Name: "chain_disk_waiting", Help: "Batches that wait for the disk.", Gauge: true, Value: func() float64 { return float64(d.disk.Stats().Waiting) }},
		{Name: "chain_controller", Help: "Whether this node is the elected controller.", Gauge: true, Value: func() float64 { return truth(d.counters.Elected.Load()) }},
	}
	for kind := plan.Remove; kind <= plan.Restart; kind++ {
		list = append(list, status.Metric{
			Name: "chain_steps_total", Help: "Rows of the chain table that this node has published as controller.",
			Labels: map[string]string{"step": kind.String()}, Value: count(&d.counters.Steps[kind]),
		})
	}
	return append(list,
		status.Metric{Name: "chain_fences_total", Help: "Members that answered this controller that they stopped.", Value: count(&d.counters.Fences)},
		status.Metric{Name: "chain_expelled_total", Help: "Registrations that this controller has deleted.", Value: count(&d.counters.Expelled)},
		status.Metric{Name: "chain_lease_wait_seconds_total", Help: "Time that this controller has waited for leases to end.",
			Value: func() float64 { return time.Duration(d.counters.Waited.Load()).Seconds() }},
		status.Metric{Name: "chain_coordinator_errors_total", Help: "Questions of this controller that the coordinator did not answer.", Value: count(&d.counters.Errors)},
	)
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func count(c *atomic.Int64) func() float64 { return func() float64 { return float64(c.Load()) } }

// gauge makes a metric of a number that is known already.
func gauge(name, help string, value float64, labels map[string]string) status.Metric {
	return status.Metric{Name: name, Help: help, Gauge: true, Labels: labels, Value: func() float64 { return value }}
}

// present are the metrics of the registration, of each chain and of each peer, as they
// are now.
func (d *daemon) present() []status.Metric {
	s := d.host.Load().Status()
	list := []status.Metric{
		gauge("chain_incarnation", "Number of this run of the node.", float64(s.Incarnation), nil),
		gauge("chain_lease_seconds", "How long this node may serve without another word of the coordinator.", s.Lease.Seconds(), nil),
		gauge("chain_inputs_waiting", "Messages that wait for the replicas.", float64(s.Waiting), nil),
	}
	roles := map[string]int{"head": 0, "middle": 0, "tail": 0, "recruit": 0, "fenced": 0, "halted": 0}
	short := 0
	var each []status.Metric
	for i := range s.Chains {
		c := &s.Chains[i]
		if role := roleOf(c); role != "" {
			roles[role]++
			each = append(each, ofChain(c, role)...)
		}
		if c.Why != "" {
			short++
		}
	}
	for _, role := range []string{"head", "middle", "tail", "recruit", "fenced", "halted"} {
		list = append(list, gauge("chain_roles", "Chains in which this node has the role.", float64(roles[role]), map[string]string{"role": role}))
	}
	list = append(list, gauge("chain_short", "Chains in which this node does not do all that it is there for.", float64(short), nil))
	for _, l := range s.Links {
		list = append(list, ofLink(&l)...)
	}
	return append(list, each...)
}

// roleOf names what a node is in a chain; "" if it takes no part.
func roleOf(c *host.ChainStatus) string {
	switch {
	case c.Role == "none" || c.Role == "":
		return ""
	case c.Role != "serving":
		return c.Role
	case c.Place == len(c.Members)-1:
		return "tail"
	case c.Place == 0:
		return "head"
	}
	return "middle"
}

func ofChain(c *host.ChainStatus, role string) []status.Metric {
	labels := map[string]string{"chain": strconv.Itoa(int(c.Chain))}
	with := func(name, help string, value float64) status.Metric {
		m := gauge(name, help, value, labels)
		m.Many = true
		return m
	}
	total := func(name, help string, value uint64) status.Metric {
		m := with(name, help, float64(value))
		m.Gauge = false
		return m
	}
	n := &c.Counters
	return []status.Metric{
		with("chain_epoch", "Epoch of the row that is installed.", float64(c.Epoch)),
		with("chain_tail", "Whether this node is the chain's tail.", truth(role == "tail")),
		with("chain_committed", "Number of the last record that is committed, as this node knows.", float64(c.Committed)),
		with("chain_uncommitted", "Records of the log that are not known to be committed.", float64(c.Last-min(c.Committed, c.Last))),
		with("chain_feeds", "Subscribers that this node serves.", float64(c.Feeds)),
		with("chain_feed_lag", "Records that the slowest of those subscribers does not have yet.", float64(c.FeedLag)),
		total("chain_reads_total", "Reads that this node was asked for.", n.Reads),
		total("chain_dirty_reads_total", "Reads that had to wait for proof.", n.DirtyReads),
		total("chain_proposals_total", "Writes that this node was asked for.", n.Proposals),
	}
}

func ofLink(l *host.LinkStatus) []status.Metric {
	labels := map[string]string{"peer": l.Peer, "class": l.Class, "addr": l.Addr}
	total := func(name, help string, value uint64) status.Metric {
		m := gauge(name, help, float64(value), labels)
		m.Gauge, m.Many = false, true
		return m
	}
	queued := gauge("link_queued_octets", "Octets that wait to be sent to a peer.", float64(l.Stats.Queued+l.Held), labels)
	return []status.Metric{
		queued,
		total("link_sent_octets_total", "Octets sent to a peer over this connection.", l.Stats.OctetsOut),
		total("link_received_octets_total", "Octets received from a peer over this connection.", l.Stats.OctetsIn),
		total("link_overflows_total", "Frames that the queue to a peer had no room for.", l.Stats.Overflows),
	}
}
