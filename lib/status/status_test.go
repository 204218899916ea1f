package status

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// serve runs a page until the test ends and gives what a GET of a path answers.
func serve(t *testing.T, p Page) (get func(path string) (int, string)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, l) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func(path string) (int, string) {
		t.Helper()
		r, err := http.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(b)
	}
}

// TestMore: what comes and goes is shown as it is when somebody looks; of many
// alike the page shows none.
func TestMore(t *testing.T) {
	peers := 0
	get := serve(t, Page{
		Health: func() error { return nil },
		More: func() (list []Metric) {
			for i := range peers {
				labels := map[string]string{"peer": string(rune('a' + i))}
				list = append(list, Metric{Name: "peer_octets_total", Help: "Octets.", Labels: labels, Many: i > 0, Value: func() float64 { return float64(i) }})
			}
			return list
		},
	})
	if _, text := get("/metrics"); strings.Contains(text, "peer_octets") {
		t.Errorf("peers that are not there:\n%s", text)
	}
	peers = 2
	if _, text := get("/metrics"); !strings.Contains(text, "namecast_peer_octets_total{peer=\"b\"} 1\n") {
		t.Errorf("no peer b:\n%s", text)
	}
	if _, text := get("/"); !strings.Contains(text, "peer=\"a\"") || strings.Contains(text, "peer=\"b\"") {
		t.Errorf("page:\n%s", text)
	}
}

func TestPage(t *testing.T) {
	sick := errors.New("storage unavailable")
	var health error
	p := Page{
		Title: "a node", Started: time.Now(),
		Metrics: []Metric{
			{Name: "updates_total", Help: "Updates.", Labels: map[string]string{"result": "accepted"}, Value: func() float64 { return 7 }},
			{Name: "position", Help: "Position.", Gauge: true, Value: func() float64 { return 3 }},
		},
		Health: func() error { return health },
	}
	get := serve(t, p)
	for _, c := range []struct {
		path   string
		health error
		code   int
		want   string
	}{
		{"/healthz", nil, 200, "ok\n"},
		{"/healthz", sick, 503, "storage unavailable\n"},
		{"/", sick, 200, "health  storage unavailable"},
		{"/", nil, 200, `updates_total{result="accepted"}`},
		{"/metrics", nil, 200, `namecast_updates_total{result="accepted"} 7`},
		{"/metrics", nil, 200, "# TYPE namecast_position gauge"},
		{"/nosuch", nil, 404, ""},
	} {
		health = c.health
		if code, body := get(c.path); code != c.code || !strings.Contains(body, c.want) {
			t.Errorf("GET %s: %d, want %d and %q in\n%s", c.path, code, c.code, c.want, body)
		}
	}
}

func TestProfilesAreThereOnlyWhenAskedFor(t *testing.T) {
	p := Page{Health: func() error { return nil }}
	paths := map[string]string{ // and what they answer
		"/debug/pprof/":                  "full goroutine stack dump",
		"/debug/pprof/cmdline":           os.Args[0],
		"/debug/pprof/goroutine?debug=1": "goroutine profile:",
		"/debug/pprof/allocs?debug=1":    "heap profile:",
		"/debug/pprof/profile?seconds=1": "", // compressed
		"/debug/pprof/symbol":            "num_symbols: 1",
		"/debug/pprof/trace?seconds=0.1": "go 1.",
	}
	off := serve(t, p)
	for path := range paths {
		if code, body := off(path); code != 404 {
			t.Errorf("off: GET %s: %d, want 404 and not\n%s", path, code, body)
		}
	}
	p.Pprof = true
	on := serve(t, p)
	for path, want := range paths {
		if code, body := on(path); code != 200 || !strings.Contains(body, want) || body == "" {
			t.Errorf("on: GET %s: %d, want 200 and %q in\n%.300s", path, code, want, body)
		}
	}
	for _, c := range []struct {
		name string
		get  func(string) (int, string)
		want bool
	}{{"off", off, false}, {"on", on, true}} {
		if _, body := c.get("/"); strings.Contains(body, "/debug/pprof/") != c.want {
			t.Errorf("%s: want the page to name /debug/pprof/: %v; got\n%s", c.name, c.want, body)
		}
	}
}
