package node

import (
	"namecast/lib/cookie"
	"namecast/lib/serve"
	"namecast/lib/status"
)

// A row is one value of a metric's label.
type row struct {
	value, note string
	read        func(serve.Stats) uint64
}

// wireMetrics are the numbers of cookies, of the limit of responses, of EDNS
// options and of TLS.
func (n *node) wireMetrics() []status.Metric {
	var list []status.Metric
	for _, m := range []struct {
		name, label, help string
		rows              []row
	}{
		{"dns_cookies_total", "status", "Queries with EDNS by their cookie.", cookieRows()},
		{"dns_rate_limited_total", "result", "Responses over UDP that went over the rate.", []row{
			{"dropped", "Responses over the rate, not sent.", func(s serve.Stats) uint64 { return s.Limited.Dropped }},
			{"truncated", "Responses over the rate, sent truncated.", func(s serve.Stats) uint64 { return s.Limited.Truncated }},
			{"badcookie", "Responses over the rate, sent as BADCOOKIE.", func(s serve.Stats) uint64 { return s.Limited.BadCookie }},
			{"error", "Errors over the rate, sent as they were.", func(s serve.Stats) uint64 { return s.Limited.Errors }},
		}},
		{"dns_options_total", "option", "Responses by the EDNS options in them.", []row{
			{"ede", "Responses with an Extended DNS Error.", func(s serve.Stats) uint64 { return s.Options.Errors }},
			{"expire", "Responses with EXPIRE.", func(s serve.Stats) uint64 { return s.Options.Expire }},
			{"keepalive", "Responses with edns-tcp-keepalive.", func(s serve.Stats) uint64 { return s.Options.KeepAlive }},
			{"padding", "Responses with padding.", func(s serve.Stats) uint64 { return s.Options.Padding }},
		}},
		{"dns_tls_handshakes_total", "result", "TLS handshakes.", []row{
			{"full", "TLS handshakes.", func(s serve.Stats) uint64 { return s.Shakes.Full }},
			{"resumed", "TLS handshakes by session ticket.", func(s serve.Stats) uint64 { return s.Shakes.Resumed }},
			{"failed", "TLS handshakes that failed.", func(s serve.Stats) uint64 { return s.Shakes.Failed }},
		}},
	} {
		for _, r := range m.rows {
			list = append(list, status.Metric{
				Name: m.name, Help: m.help, Note: r.note, Labels: map[string]string{m.label: r.value},
				Value: func() float64 { return float64(r.read(n.dns.Stats())) },
			})
		}
	}
	return list
}

func cookieRows() []row {
	var rows []row
	for i, note := range []string{
		cookie.None:      "Queries with EDNS and no cookie.",
		cookie.Malformed: "Queries whose cookie has no cookie's length.",
		cookie.New:       "Queries with a client's cookie alone.",
		cookie.Bad:       "Queries with a server cookie that is not ours, or old.",
		cookie.Good:      "Queries with a good server cookie.",
	} {
		rows = append(rows, row{cookie.Status(i).String(), note, func(s serve.Stats) uint64 { return s.Cookies[i] }})
	}
	return rows
}
