// Package status shows a running node over HTTP: a page that a person reads, a
// health check that a machine reads, and metrics for Prometheus. It is for the
// operator's own network; nothing secret is on it.
//
//	/              the page
//	/healthz       200 "ok", or 503 and the reason
//	/metrics       Prometheus text format
//	/debug/pprof/  profiles of the process as Go makes them, if asked for
package status

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A Metric is one number of the node, as it is when Value is called.
type Metric struct {
	Name   string // without the prefix "namecast_"; of a counter it ends in "_total"
	Help   string // one sentence, the same for all metrics of the name
	Note   string // what this one is, on the page; "" is Help
	Labels map[string]string
	Gauge  bool // may fall; otherwise it only grows
	Many   bool // one of so many of the name that the page leaves them out
	Value  func() float64
}

// A Page is what a node shows of itself.
type Page struct {
	Title   string
	Started time.Time
	Metrics []Metric
	More    func() []Metric // those that come and go, as peers do, as they are now; may be nil
	Health  func() error    // nil is healthy
	Pprof   bool            // profiles may be taken, which costs the node time
	// Own answers at / in place of the page that is made of the others; nil is none.
	Own http.HandlerFunc
}

// Serve answers HTTP on l until ctx ends.
func (p Page) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           p.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    1 << 14,
	}
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			srv.Close()
		}
	})
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve http on %s: %w", l.Addr(), err)
	}
	return nil
}

func (p Page) handler() http.Handler {
	mux := http.NewServeMux()
	if p.Own == nil {
		p.Own = p.page
	}
	mux.HandleFunc("GET /{$}", p.Own)
	mux.HandleFunc("GET /healthz", p.health)
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.registry(), promhttp.HandlerOpts{}))
	if p.Pprof {
		handlePprof(mux)
	}
	return mux
}

// handlePprof mounts what package pprof puts on the default mux, which is never
// served. The index also serves the profiles that have a name.
func handlePprof(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
}

// passing collects the metrics that come and go.
type passing func() []Metric

// Describe implements prometheus.Collector: nothing is known beforehand.
func (passing) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (p passing) Collect(to chan<- prometheus.Metric) {
	for _, m := range p() {
		kind := prometheus.CounterValue
		if m.Gauge {
			kind = prometheus.GaugeValue
		}
		desc := prometheus.NewDesc("namecast_"+m.Name, m.Help, nil, m.Labels)
		to <- prometheus.MustNewConstMetric(desc, kind, m.Value())
	}
}

func (p Page) registry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, m := range p.Metrics {
		name := "namecast_" + m.Name
		if m.Gauge {
			reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: m.Help, ConstLabels: m.Labels}, m.Value))
		} else {
			reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: m.Help, ConstLabels: m.Labels}, m.Value))
		}
	}
	if p.More != nil {
		reg.MustRegister(passing(p.More))
	}
	return reg
}

func (p Page) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err := p.Health(); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, err)
		return
	}
	fmt.Fprintln(w, "ok")
}

// page is plain text: it reads the same in a browser, in a terminal and in a
// ticket.
func (p Page) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	health := "ok"
	if err := p.Health(); err != nil {
		health = err.Error()
	}
	fmt.Fprintf(w, "%s\n\nhealth  %s\nup      %s\n\n", p.Title, health, time.Since(p.Started).Round(time.Second))
	all := p.Metrics
	if p.More != nil {
		all = slices.Concat(all, p.More())
	}
	for _, m := range all {
		if m.Many {
			continue
		}
		name := m.Name
		if len(m.Labels) > 0 {
			var labels []string
			for _, k := range slices.Sorted(maps.Keys(m.Labels)) {
				labels = append(labels, fmt.Sprintf("%s=%q", k, m.Labels[k]))
			}
			name += "{" + strings.Join(labels, ",") + "}"
		}
		if m.Note == "" {
			m.Note = m.Help
		}
		fmt.Fprintf(w, "%16.0f  %-56s %s\n", m.Value(), name, m.Note)
	}
	fmt.Fprint(w, "\n/healthz  /metrics")
	if p.Pprof {
		fmt.Fprint(w, "  /debug/pprof/")
	}
	fmt.Fprintln(w)
}
