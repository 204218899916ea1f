package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"namecast/lib/clock"
	socket "namecast/lib/control"
	"namecast/lib/coord"
)

// errLater marks what the daemon could not do now.
var errLater = errors.New("")

// answers are what the daemon does for the operator's other processes:
//
//	GET  /status                    a Cluster, as JSON
//	POST /drain?node=N&drain=true   has a node hold nothing, or anything again
//	POST /remove?node=N             ends a node's membership
//	POST /set?replicas=N            changes a setting
//	GET  /recover?accept=LIST       a Recovery, as JSON
//	POST /recover?accept=LIST       the same, and carries it out
//
// What is refused comes with status 409, what may succeed later with 503, and one
// line that says why.
func (d *daemon) answers() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, do func(*http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			answer, err := do(r)
			switch {
			case errors.Is(err, coord.ErrUnavailable):
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
			case err != nil:
				http.Error(w, err.Error(), http.StatusConflict)
			default:
				w.Header().Set("Content-Type", "application/json")
				json.NewEncoder(w).Encode(answer)
			}
		})
	}
	handle("GET /status", func(r *http.Request) (any, error) { return d.status(r.Context()), nil })
	handle("POST /drain", func(r *http.Request) (any, error) {
		return nil, d.coord.SetDrain(r.Context(), r.FormValue("node"), r.FormValue("drain") == "true")
	})
	handle("POST /remove", func(r *http.Request) (any, error) {
		return nil, d.remove(r.Context(), r.FormValue("node"))
	})
	handle("POST /set", func(r *http.Request) (any, error) {
		n, err := strconv.Atoi(r.FormValue("replicas"))
		if err != nil || n < 1 || n > 9 {
			return nil, fmt.Errorf("replicas=%q: not within 1 to 9", r.FormValue("replicas"))
		}
		return nil, d.coord.SetReplicas(r.Context(), n)
	})
	handle("GET /recover", func(r *http.Request) (any, error) { return d.recovery(r) })
	handle("POST /recover", func(r *http.Request) (any, error) {
		plan, err := d.recovery(r)
		if err != nil {
			return nil, err
		}
		return plan, d.rebuild(r.Context(), plan)
	})
	return mux
}

// remove ends a node's membership, and that of its member of the coordinator: one that
// never comes back would count as one that has died. It can be repeated.
func (d *daemon) remove(ctx context.Context, node string) error {
	err := d.coord.RemoveNode(ctx, node)
	if d.Etcd != "" || err != nil && !errors.Is(err, coord.ErrNode) {
		return err
	}
	if gone := d.coord.RemoveMember(ctx, node); !errors.Is(gone, coord.ErrNode) {
		return gone
	}
	return err
}

// ask has the daemon that runs on a folder do something, and reads its answer.
func ask(ctx context.Context, dir, method, path string, answer any) error {
	r, err := socket.Do(ctx, dir, method, path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(r.Body, 4096))
		kind := errors.New("")
		if r.StatusCode == http.StatusServiceUnavailable {
			kind = errLater
		}
		return fmt.Errorf("%w%s", kind, strings.TrimSpace(string(text)))
	}
	return json.NewDecoder(r.Body).Decode(answer)
}

// Drain has all chains moved away from a node, and returns when they are. Progress
// goes to w.
func Drain(ctx context.Context, dir, node string, w io.Writer) error {
	var nothing any
	if err := ask(ctx, dir, http.MethodPost, "/drain?drain=true&node="+node, &nothing); err != nil {
		return err
	}
	began, said := time.Now(), time.Now()
	for last := -1; ; {
		var s Cluster
		if err := ask(ctx, dir, http.MethodGet, "/status", &s); err != nil {
			return err
		}
		left := s.load()[node]
		if left == 0 {
			return nil
		}
		if left != last && time.Since(said) > 2*time.Second {
			fmt.Fprintf(w, "nc-chain: %s has %d chains yet, after %v\n", node, left, time.Since(began).Round(time.Second))
			last, said = left, time.Now()
		}
		if !clock.Sleep(ctx, 200*time.Millisecond) {
			return fmt.Errorf("%w%s has %d chains yet; it goes on being emptied", errLater, node, left)
		}
	}
}

// Undrain lets a node have chains again.
func Undrain(ctx context.Context, dir, node string) error {
	var nothing any
	return ask(ctx, dir, http.MethodPost, "/drain?drain=false&node="+node, &nothing)
}

// Remove ends a node's membership.
func Remove(ctx context.Context, dir, node string) error {
	var nothing any
	return ask(ctx, dir, http.MethodPost, "/remove?node="+node, &nothing)
}

// Set changes a setting, written name=value.
func Set(ctx context.Context, dir, setting string) error {
	if name, _, ok := strings.Cut(setting, "="); !ok || name != "replicas" {
		return fmt.Errorf("%w-set %q: there is only replicas=N to set", ErrConfig, setting)
	}
	var nothing any
	return ask(ctx, dir, http.MethodPost, "/set?"+setting, &nothing)
}
