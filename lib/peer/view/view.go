// Package view is the picture of a group: a page that says at a glance whether this
// machine's lookups would survive the death of its name servers, and while they are dead,
// who carries the answers.
//
// The page is one document with its style and its scripts, all from here: it works where
// there is no Internet. It is fed by Server-Sent Events, and readable without scripts as
// tables that load themselves anew. A recording of events, one a line, can be opened in
// it and played; two of them side by side.
package view

import (
	"bytes"
	"embed"
	"encoding/json"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

//go:embed page
var files embed.FS

// every is how often the page is told the state.
const every = time.Second

// policy is that the page needs nothing from elsewhere, and that nothing else may embed it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

type handler struct {
	source Source
	page   *template.Template
	every  time.Duration
}

// Handler serves the page of a source. It answers only to requests for an address or for
// localhost: a name that another site lets point here would have that site read the page.
func Handler(s Source) http.Handler { return newHandler(s, every) }

func newHandler(s Source, every time.Duration) http.Handler {
	h := &handler{source: s, every: every}
	h.page = template.Must(template.New("page.html").Funcs(words).ParseFS(files, "page/page.html"))
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.index)
	mux.HandleFunc("GET /state", h.state)
	mux.HandleFunc("GET /events", h.events)
	mux.HandleFunc("GET /why", h.why)
	for _, name := range []string{"page.css", "page.js", "tape.js", "panel.js", "ring.js", "matrix.js", "timeline.js", "words.js"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, files, "page/"+name)
		})
	}
	return guard(mux)
}

// guard refuses requests by a name, and sets what all answers have.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !local(r.Host) {
			http.Error(w, "this page is for this machine: ask for it by address", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// local tells whether a Host header is an address or localhost.
func local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil || strings.EqualFold(host, "localhost")
}

func (h *handler) index(w http.ResponseWriter, r *http.Request) {
	s, err := h.source.State(r.Context())
	if err != nil {
		unavailable(w, err)
		return
	}
	// Made whole before it is sent, so that no half of a page is.
	var b bytes.Buffer
	if err := h.page.Execute(&b, s); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // whoever asked may be gone
}

func (h *handler) state(w http.ResponseWriter, r *http.Request) {
	s, err := h.source.State(r.Context())
	if err != nil {
		unavailable(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s) // whoever asked may be gone
}

// why answers as text, to the page as to a browser without scripts.
func (h *handler) why(w http.ResponseWriter, r *http.Request) {
	name, typ := strings.TrimSpace(r.FormValue("name")), strings.TrimSpace(r.FormValue("type"))
	if name == "" || len(name) > 1024 || len(typ) > 16 {
		http.Error(w, "which name?", http.StatusBadRequest)
		return
	}
	if typ == "" {
		typ = "A"
	}
	text, err := h.source.Why(r.Context(), name, typ)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(strings.TrimRight(text, "\n") + "\n")) // whoever asked may be gone
}

func unavailable(w http.ResponseWriter, err error) {
	http.Error(w, err.Error(), http.StatusServiceUnavailable)
}
