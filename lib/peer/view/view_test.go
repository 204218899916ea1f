package view

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// A group is a source made up for a test.
type group struct {
	mu      sync.Mutex
	state   State
	events  []Event
	readers map[chan Event]bool
	failing error
}

func (g *group) State(context.Context) (State, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state.At = time.Now().UnixMilli()
	return g.state, g.failing
}

func (g *group) Events(_ context.Context, after int64) ([]Event, <-chan Event, func(), error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var recent []Event
	for _, e := range g.events {
		if e.At > after {
			recent = append(recent, e)
		}
	}
	c := make(chan Event, 1000)
	if g.readers == nil {
		g.readers = map[chan Event]bool{}
	}
	g.readers[c] = true
	stop := func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.readers, c)
	}
	return recent, c, stop, g.failing
}

func (g *group) Why(_ context.Context, name, typ string) (string, error) {
	if name == "bad..name" {
		return "", errors.New("bad name")
	}
	return fmt.Sprintf("%s %s: own cache, 12 s old\n<script>alert(1)</script>\n", name, typ), nil
}

// tell has an event happen.
func (g *group) tell(e Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.events = append(g.events, e)
	for c := range g.readers {
		c <- e
	}
}

func (g *group) change(f func(*State)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f(&g.state)
}

func (g *group) listening() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.readers)
}

// id is the NodeID of the member i.
func id(i int) string { return fmt.Sprintf("%04x%012x", 0xa000+i, i) }

// newGroup has n members, of which the last is gone and the last but one has no servers.
func newGroup(n int) *group {
	now := time.Now().UnixMilli()
	g := &group{state: State{At: now, Self: id(0), Mode: "guard", Upstream: "down", UpstreamFor: 842, Answerable: 870, Of: 1000, Entries: 5021,
		Counters: Counters{Asked: 8412, Fresh: 6000, Stale: 1200, Peer: 800, Iterated: 100, Failed: 312},
		Servers:  []Server{{"192.0.2.53", "down", 0.4}, {"192.0.2.54", "down", 0}},
		Kept:     Kept{Own: 4000, Owned: 1021, Ages: []int{100, 200, 400, 200, 90, 10}}}}
	for i := range n {
		g.state.Members = append(g.state.Members, Member{ID: id(i), Self: i == 0, Live: i != n-1 || n == 1, Addrs: []string{fmt.Sprintf("198.51.100.%d:5390", i+1)}, Link: "eth0",
			Upstream: "healthy", UpstreamFor: 60, RTT: 0.3, Entries: 100 * i, Weight: 4, Version: 1, Trust: 1, Seen: 2, Counters: Counters{Asked: 100, Fresh: 60, Stale: 30, Peer: 10}})
	}
	if n > 2 {
		g.state.Members[n-2].Upstream = "down"
	}
	if n > 4 {
		g.state.Members[3].Trust = 0.4
	}
	by := []string{"cache", "upstream", "stale", "owner", "helper", "root", "any", "nobody"}
	for i := range 400 {
		at := now - 60_000 + int64(i)*150
		g.events = append(g.events, Event{At: at, Kind: Answer, From: id(0), By: by[i%len(by)], Ms: 0.4, Name: "<b>www</b>.example.com A"})
		if n > 1 {
			g.events = append(g.events, Event{At: at, Kind: Ask, From: id(0), To: id(1 + i%(n-1))}, Event{At: at, Kind: Reply, From: id(1 + i%(n-1)), To: id(0)})
		}
	}
	return g
}

func serve(t *testing.T, g *group) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(newHandler(g, 200*time.Millisecond))
	t.Cleanup(func() {
		s.CloseClientConnections() // streams do not end by themselves
		s.Close()
	})
	return s
}

func get(t *testing.T, s *httptest.Server, path string, change ...func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(r)
	}
	a, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	var b strings.Builder
	if _, err := bufio.NewReader(a.Body).WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return a, b.String()
}

// The page says all that counts without scripts.
func TestReadableWithoutScripts(t *testing.T) {
	a, body := get(t, serve(t, newGroup(12)), "/")
	for _, want := range []string{"Node a000, guard mode", `<p class="big" data-part="upstream">down`, "for 14 min 2 s", ">87 %<", "1000 lookups of the last hour", "96 %", "of 8412 lookups",
		"<td>6000<td>1200<td>800<td>100<td>312", "a000 (this)", "a00b (gone)", "198.51.100.3:5390", "192.0.2.53", "a003 (not believed)", `<td class="n">0.4 ms`, `<td class="n">-`,
		"4000 answers that this machine asked for, 1021 for the group", `<th class="n">older`, `<td class="n">40 %<`, `<meta http-equiv="refresh"`} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	if got := a.Header.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") {
		t.Errorf("policy %q", got)
	}
}

func TestAlone(t *testing.T) {
	_, body := get(t, serve(t, &group{state: State{Self: id(0), Upstream: "healthy"}}), "/")
	if !strings.Contains(body, "alone") || !strings.Contains(body, "no lookups in the last hour") {
		t.Error(body)
	}
}

// Nothing that the page needs is elsewhere.
func TestSelfContained(t *testing.T) {
	s := serve(t, newGroup(3))
	entries, err := files.ReadDir("page")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := "/" + e.Name()
		if path == "/page.html" {
			path = "/"
		}
		a, body := get(t, s, path)
		if a.StatusCode != http.StatusOK || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %s", path, a.Status)
		}
		body = strings.ReplaceAll(body, "http://www.w3.org/2000/svg", "") // is a name, not fetched
		if strings.Contains(body, "http://") || strings.Contains(body, "https://") {
			t.Errorf("%s names something elsewhere", path)
		}
		if strings.Contains(body, "innerHTML") || strings.Contains(body, "eval(") {
			t.Errorf("%s makes markup of text", path)
		}
	}
	if a, _ := get(t, s, "/page/page.html"); a.StatusCode != http.StatusNotFound {
		t.Errorf("the template itself: %s", a.Status)
	}
}

// What a foreign site can make a browser ask is refused.
func TestForeignNames(t *testing.T) {
	s := serve(t, newGroup(3))
	for host, want := range map[string]int{"127.0.0.1:8053": 200, "localhost": 200, "LOCALHOST:80": 200, "[::1]:8053": 200, "[::1]": 200,
		"evil.example": 403, "evil.example:8053": 403, "127.0.0.1.evil.example": 403, "": 403} {
		a, _ := get(t, s, "/state", func(r *http.Request) { r.Host = host })
		if host == "" {
			continue // the client puts the address there
		}
		if a.StatusCode != want {
			t.Errorf("%q: %s", host, a.Status)
		}
	}
	r, err := http.Post(s.URL+"/why?name=a", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", r.Status)
	}
}

func TestWhy(t *testing.T) {
	s := serve(t, newGroup(3))
	a, body := get(t, s, "/why?name=www.example.com")
	if a.Header.Get("Content-Type") != "text/plain; charset=utf-8" || !strings.HasPrefix(body, "www.example.com A: own cache") {
		t.Errorf("%v %s", a.Header, body)
	}
	for _, bad := range []string{"/why", "/why?name=bad..name", "/why?name=" + strings.Repeat("a", 2000), "/why?name=a&type=" + strings.Repeat("a", 20)} {
		if a, _ := get(t, s, bad); a.StatusCode != http.StatusBadRequest {
			t.Errorf("%.30s: %s", bad, a.Status)
		}
	}
}

func TestUnavailable(t *testing.T) {
	g := newGroup(3)
	g.failing = errors.New("the node is busy")
	for _, path := range []string{"/", "/state", "/events"} {
		if a, body := get(t, serve(t, g), path); a.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "busy") {
			t.Errorf("%s: %s %s", path, a.Status, body)
		}
	}
}

// A reader gets what it missed and then what happens, and is gone when it goes.
func TestStream(t *testing.T) {
	g := newGroup(2)
	s := serve(t, g)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", s.URL+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", fmt.Sprint(g.events[len(g.events)-4].At))
	a, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if a.Header.Get("Content-Type") != "text/event-stream" {
		t.Error(a.Header)
	}
	g.tell(Event{At: 1 << 50, Kind: Mark, Text: "line\nbreak"})
	lines := bufio.NewScanner(a.Body)
	states, missed := 0, 0
	for lines.Scan() && states < 3 {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var e Event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Kind == "":
			states++
		case e.Kind == Mark && e.Text != "line\nbreak":
			t.Errorf("got %q", e.Text)
		case e.Kind != Mark:
			missed++
		}
	}
	if missed != 3 || states < 3 {
		t.Errorf("%d events that were missed, %d states", missed, states)
	}
	cancel()
	until(t, "the reader is forgotten", func() bool { return g.listening() == 0 })
	if a, _ := get(t, s, "/events?after=noon"); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a wrong time: %s", a.Status)
	}
}

// A reader that is too slow for the source is let go.
func TestStreamEndsWithItsSource(t *testing.T) {
	g := newGroup(2)
	s := serve(t, g)
	done := make(chan struct{})
	go func() {
		defer close(done)
		get(t, s, "/events")
	}()
	until(t, "the reader is there", func() bool { return g.listening() == 1 })
	g.mu.Lock()
	for c := range g.readers {
		close(c)
	}
	g.mu.Unlock()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Error("the stream goes on")
	}
}

func TestWords(t *testing.T) {
	for seconds, want := range map[float64]string{0: "0 s", 59.9: "59 s", 61: "1 min 1 s", 3600: "1 h 0 min", 172800: "2 d 0 h"} {
		if got := span(seconds); got != want {
			t.Errorf("%v s: %q, want %q", seconds, got, want)
		}
	}
	for _, c := range []struct {
		n, all uint64
		want   string
	}{{0, 0, "–"}, {0, 5, "0 %"}, {5, 5, "100 %"}, {9999, 10000, "99 %"}, {2, 3, "67 %"}} {
		if got := percent(c.n, c.all); got != c.want {
			t.Errorf("%d of %d: %q", c.n, c.all, got)
		}
	}
}

// until waits for something to be so.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !f(); {
		if time.Now().After(end) {
			t.Fatalf("not so: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
