package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"namecast/lib/control"
	"namecast/lib/private"
	"namecast/lib/watch"
)

// drainFile is where an operator's drain outlives the process.
func (d *daemon) drainFile() string { return filepath.Join(d.Dir, "drained") }

// answers answers what the operator's commands ask:
//
//	GET /status   the view as text; 200 if all is announced, else 503
//	POST /drain   ?why=
//	POST /undrain
func (d *daemon) answers() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) { d.answer(w, r, nil, nil) })
	mux.HandleFunc("POST /drain", func(w http.ResponseWriter, r *http.Request) {
		why := printable(r.URL.Query().Get("why"))
		d.answer(w, r, watch.Drained{Why: why}, func() error { return private.Replace(d.drainFile(), why) })
	})
	mux.HandleFunc("POST /undrain", func(w http.ResponseWriter, r *http.Request) {
		d.answer(w, r, watch.Undrained{}, func() error { return os.Remove(d.drainFile()) })
	})
	return mux
}

// answer takes an event of the operator, if there is one, and shows what holds
// then. That it cannot be remembered, as on a full disk, is said and does not keep
// it from being done.
func (d *daemon) answer(w http.ResponseWriter, r *http.Request, ev watch.Event, remember func() error) {
	if ev != nil {
		ctx, cancel := context.WithTimeout(r.Context(), callLimit)
		defer cancel()
		err := d.loop.call(ctx, func() {
			d.notes.add(note{Warn: true, About: "operator", Text: said(ev)})
			d.loop.step(ev)
		})
		if err != nil {
			http.Error(w, errSilent.Error(), http.StatusGatewayTimeout)
			return
		}
	}
	v, err := d.look(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusGatewayTimeout)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if !v.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if ev == nil {
		v.text(w)
		return
	}
	fmt.Fprintln(w, v.Headline)
	if err := remember(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		text := fmt.Sprintf("this cannot be remembered over a restart of nc-watch: %v", err)
		d.notes.add(note{Alarm: true, About: "operator", Text: text})
		fmt.Fprintln(w, text)
	}
}

// said is what the operator wants, in words.
func said(ev watch.Event) string {
	if drained, ok := ev.(watch.Drained); ok {
		return "drains the node: " + drained.Why
	}
	return "ends the drain"
}

// PrintStatus prints what the daemon of a folder sees and why it decided so. The
// error is ErrNotAnnounced if a prefix is not announced for everybody.
func PrintStatus(ctx context.Context, dir string, w io.Writer) error {
	return ask(ctx, dir, http.MethodGet, "/status", w, true)
}

// Drain has all prefixes announced as drained from now on, also over a restart of
// the daemon, and prints what holds then.
func Drain(ctx context.Context, dir, why string, w io.Writer) error {
	return ask(ctx, dir, http.MethodPost, "/drain?why="+url.QueryEscape(why), w, false)
}

// Undrain ends that, and gives components that were given up another chance.
func Undrain(ctx context.Context, dir string, w io.Writer) error {
	return ask(ctx, dir, http.MethodPost, "/undrain", w, false)
}

// ask has the daemon answer, and copies its answer.
func ask(ctx context.Context, dir, method, path string, w io.Writer, judge bool) error {
	r, err := control.Do(ctx, dir, method, path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK && r.StatusCode != http.StatusServiceUnavailable {
		text, _ := io.ReadAll(io.LimitReader(r.Body, 1<<10))
		return fmt.Errorf("the daemon says: %s", printable(string(text)))
	}
	if _, err := io.Copy(w, r.Body); err != nil {
		return err
	}
	if judge && r.StatusCode != http.StatusOK {
		return ErrNotAnnounced
	}
	return nil
}
