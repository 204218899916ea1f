package node

import (
	"sync/atomic"

	"namecast/lib/serve"
	"namecast/lib/status"
)

// metrics are the numbers on the status page, in the order of the page.
func (n *node) metrics() []status.Metric {
	list := append(n.updateMetrics(), n.queryMetrics()...)
	list = append(list, n.answerMetrics()...)
	list = append(list, n.wireMetrics()...)
	list = append(list, n.dnssecMetrics()...)
	list = append(list, n.storageMetrics()...)
	return append(list, status.Metric{
		Name: "position", Help: "Position of the last committed change.", Gauge: true,
		Value: func() float64 {
			v, err := n.db.View()
			if err != nil {
				return 0
			}
			defer v.Release()
			return float64(v.Position())
		},
	})
}

func (n *node) updateMetrics() []status.Metric {
	c := &n.updates.Count
	var list []status.Metric
	for _, m := range []struct {
		result, help string
		count        *atomic.Uint64
	}{
		{"accepted", "Requests committed.", &c.Accepted},
		{"replayed", "Retries answered again.", &c.Replayed},
		{"query", "Sequence queries answered.", &c.Queries},
		{"refused", "Requests refused with a reply.", &c.Refused},
		{"forged", "Requests whose signature did not match.", &c.Forged},
		{"over_rate", "Requests over a budget.", &c.OverRate},
		{"overload", "Requests dropped because there was too much to do.", &c.Overload},
		{"duplicate", "Requests dropped because they were being worked on.", &c.Duplicate},
		{"not_nup", "Datagrams dropped because they were no requests.", &c.NotNUP},
		{"stalled", "Requests that the store could not serve.", &c.Stalled},
	} {
		list = append(list, status.Metric{
			Name: "update_requests_total", Help: "Datagrams at the update port.", Note: m.help,
			Labels: map[string]string{"result": m.result}, Value: value(m.count),
		})
	}
	return append(list,
		status.Metric{Name: "accounts_created_total", Help: "New accounts.", Value: value(&c.Created)},
		status.Metric{Name: "domains_claimed_total", Help: "Domains that got a new owner.", Value: value(&c.Claimed)},
	)
}

func value(c *atomic.Uint64) func() float64 { return func() float64 { return float64(c.Load()) } }

func (n *node) queryMetrics() []status.Metric {
	var list []status.Metric
	for _, over := range []struct {
		transport string
		read      func(serve.Stats) serve.Traffic
	}{
		{"udp", func(s serve.Stats) serve.Traffic { return s.UDP }},
		{"tcp", func(s serve.Stats) serve.Traffic { return s.TCP }},
		{"tls", func(s serve.Stats) serve.Traffic { return s.TLS }},
	} {
		traffic := func(f func(serve.Traffic) uint64) func() float64 {
			return func() float64 { return float64(f(over.read(n.dns.Stats()))) }
		}
		labels := map[string]string{"transport": over.transport}
		list = append(list,
			status.Metric{Name: "dns_queries_total", Help: "Messages at the DNS port.", Labels: labels,
				Value: traffic(func(t serve.Traffic) uint64 { return t.Queries })},
			status.Metric{Name: "dns_dropped_total", Help: "Messages at the DNS port that got no response.", Labels: labels,
				Value: traffic(func(t serve.Traffic) uint64 { return t.Dropped })},
			status.Metric{Name: "dns_truncated_total", Help: "Responses with the TC bit.", Labels: labels,
				Value: traffic(func(t serve.Traffic) uint64 { return t.Truncated })},
		)
		for code := range len(serve.Traffic{}.Responses) {
			if name := serve.RcodeName(code); name != "" {
				list = append(list, status.Metric{Name: "dns_responses_total", Help: "Responses by code.",
					Labels: map[string]string{"transport": over.transport, "rcode": name},
					Value:  traffic(func(t serve.Traffic) uint64 { return t.Responses[code] })})
			}
		}
	}
	stats := func(f func(serve.Stats) float64) func() float64 { return func() float64 { return f(n.dns.Stats()) } }
	return append(list,
		status.Metric{Name: "dns_connections", Help: "TCP connections that there are.", Gauge: true,
			Value: stats(func(s serve.Stats) float64 { return float64(s.ConnsNow) })},
		status.Metric{Name: "dns_connections_total", Help: "TCP connections taken.",
			Value: stats(func(s serve.Stats) float64 { return float64(s.Conns) })},
		status.Metric{Name: "dns_connections_refused_total", Help: "TCP connections closed at once, over a limit.",
			Value: stats(func(s serve.Stats) float64 { return float64(s.ConnsRefused) })},
		status.Metric{Name: "dns_storage_errors_total", Help: "Questions that the store did not answer.",
			Value: stats(func(s serve.Stats) float64 { return float64(s.StoreErrors) })},
		status.Metric{Name: "dns_panics_total", Help: "Questions whose answer failed in the program.",
			Value: stats(func(s serve.Stats) float64 { return float64(s.Panics) })},
	)
}

// answerMetrics tell where answers come from.
func (n *node) answerMetrics() (list []status.Metric) {
	for _, how := range []struct {
		name string
		read func(serve.Answers) float64
	}{
		{"drawn", func(a serve.Answers) float64 { return float64(a.Drawn) }},
		{"denied", func(a serve.Answers) float64 { return float64(a.Denied) }},
	} {
		list = append(list, status.Metric{Name: "dns_answers_total", Help: "Answers that were not kept before: drawn from storage, or denied by the outline of what exists.",
			Labels: map[string]string{"from": how.name}, Value: func() float64 { return how.read(n.dns.Answers()) }})
	}
	return append(list,
		status.Metric{Name: "dns_answers_kept", Help: "Finished answers in memory.", Gauge: true,
			Value: func() float64 { return float64(n.dns.Answers().Kept) }},
		status.Metric{Name: "dns_answers_octets", Help: "Octets of memory that finished answers take.", Gauge: true,
			Value: func() float64 { return float64(n.dns.Answers().Octets) }},
	)
}
