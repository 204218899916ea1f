package status

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, l) }()

	get := func(path string) (int, string) {
		r, err := http.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		b, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(b)
	}
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
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
