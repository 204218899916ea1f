package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"namecast/lib/control"
	"namecast/lib/peer"
	"namecast/lib/rr"
)

// ErrDown: no name server answers. What there is to say was printed.
var ErrDown = errors.New("")

// answers answers what the operator's commands ask:
//
//	GET /status /peers /cache /stats /upstream   text
//	GET /why      ?name= and type=
//	GET /events   JSON, a line each; with ?follow=1 for ever
//	POST /flush   ?name=
//	POST /pause, POST /resume
func (d *daemon) answers() http.Handler {
	mux := http.NewServeMux()
	for path, show := range map[string]func(io.Writer) bool{
		"GET /status": d.showStatus, "GET /peers": d.showPeers, "GET /cache": d.showCache,
		"GET /stats": d.showStats, "GET /upstream": d.showUpstream,
		"POST /pause":  func(w io.Writer) bool { d.loop.pause(true); fmt.Fprintln(w, "paused"); return true },
		"POST /resume": func(w io.Writer) bool { d.loop.pause(false); fmt.Fprintln(w, "resumed"); return true },
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { d.answer(w, r, show) })
	}
	mux.HandleFunc("GET /why", d.named(func(w io.Writer, q peer.Question) bool {
		_, err := io.WriteString(w, d.loop.node.Why(q))
		return err == nil
	}))
	mux.HandleFunc("POST /flush", d.named(func(w io.Writer, q peer.Question) bool {
		before := d.loop.node.Stats().Forgotten
		d.loop.step(peer.Forget{Name: q.Name, Below: true})
		split := uint64(d.loop.split.forget(q.Name))
		_, err := fmt.Fprintln(w, "forgot", d.loop.node.Stats().Forgotten-before+split)
		return err == nil
	}))
	mux.HandleFunc("GET /events", d.followEvents)
	return mux
}

// answer has the loop show something, and sends it when the loop has gone on.
func (d *daemon) answer(w http.ResponseWriter, r *http.Request, show func(io.Writer) bool) {
	ctx, cancel := context.WithTimeout(r.Context(), callLimit)
	defer cancel()
	var text strings.Builder
	ok := false
	if err := d.loop.call(ctx, func() { ok = show(&text) }); err != nil {
		http.Error(w, errSilent.Error(), http.StatusGatewayTimeout)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = io.WriteString(w, text.String()) // who asked may have gone
}

// named is for a command about a name.
func (d *daemon) named(show func(io.Writer, peer.Question) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q, err := parseQuestion(r.URL.Query().Get("name"), r.URL.Query().Get("type"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		d.answer(w, r, func(w io.Writer) bool { return show(w, q) })
	}
}

// parseQuestion reads a name and a type, which is A if it is not given.
func parseQuestion(name, typ string) (q peer.Question, err error) {
	n, err := rr.ParseName(name)
	if err != nil || name == "" {
		return q, fmt.Errorf("%q is no name", name)
	}
	if typ == "" {
		typ = "A"
	}
	t, err := rr.ParseType(strings.ToUpper(typ))
	if err != nil {
		return q, fmt.Errorf("%q is no type", typ)
	}
	return peer.Question{Name: n.Lower(), Type: uint16(t)}, nil
}

// followEvents sends what has happened lately, and if it is wanted, what does.
func (d *daemon) followEvents(w http.ResponseWriter, r *http.Request) {
	recent, live, stop, err := d.loop.tracer.follow(0)
	if err != nil {
		http.Error(w, err.Error(), http.StatusTooManyRequests)
		return
	}
	defer stop()
	enc, out := json.NewEncoder(w), http.NewResponseController(w)
	for _, e := range recent {
		if enc.Encode(e) != nil {
			return
		}
	}
	if r.URL.Query().Get("follow") == "" {
		return
	}
	beat := time.NewTicker(time.Second)
	defer beat.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case e, ok := <-live:
			if !ok || enc.Encode(e) != nil {
				return
			}
		case <-beat.C:
			if out.Flush() != nil {
				return
			}
		}
	}
}

// Ask has the daemon of a folder answer the words of -status, and prints its answer.
// The error is ErrDown if it shows that no name server answers, and ErrConfig for words
// that mean nothing.
func Ask(ctx context.Context, dir string, words []string, w io.Writer) error {
	method, path, err := commandFor(words)
	if err != nil {
		return err
	}
	r, err := control.Do(ctx, dir, method, path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK && r.StatusCode != http.StatusServiceUnavailable {
		text, _ := io.ReadAll(io.LimitReader(r.Body, 1<<10))
		return fmt.Errorf("the daemon says: %s", strings.TrimSpace(string(text)))
	}
	if _, err := io.Copy(w, r.Body); err != nil {
		return err
	}
	if r.StatusCode != http.StatusOK {
		return ErrDown
	}
	return nil
}

// commandFor is what to ask the daemon for words.
func commandFor(words []string) (method, path string, err error) {
	if len(words) == 0 {
		return http.MethodGet, "/status", nil
	}
	rest := words[1:]
	switch word := words[0]; {
	case len(rest) == 0 && (word == "peers" || word == "cache" || word == "stats" || word == "upstream"):
		return http.MethodGet, "/" + word, nil
	case len(rest) == 0 && (word == "pause" || word == "resume"):
		return http.MethodPost, "/" + word, nil
	case word == "events" && len(rest) == 0:
		return http.MethodGet, "/events", nil
	case word == "events" && len(rest) == 1 && rest[0] == "-w":
		return http.MethodGet, "/events?follow=1", nil
	case word == "why" && (len(rest) == 1 || len(rest) == 2):
		v := url.Values{"name": rest[:1]}
		if len(rest) == 2 {
			v.Set("type", rest[1])
		}
		return http.MethodGet, "/why?" + v.Encode(), nil
	case word == "flush" && len(rest) == 1:
		return http.MethodPost, "/flush?" + url.Values{"name": rest}.Encode(), nil
	}
	return "", "", fmt.Errorf("%w-status %s: no such words", ErrConfig, strings.Join(words, " "))
}
