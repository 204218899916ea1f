package control

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// TestDo: who enters the folder is answered, also behind a socket that a killed
// daemon has left; without a daemon the caller is told so.
func TestDo(t *testing.T) {
	dir := t.TempDir()
	if _, err := Do(t.Context(), dir, "GET", "/"); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("no socket: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Do(t.Context(), dir, "GET", "/"); !errors.Is(err, ErrNotRunning) {
		t.Fatalf("a dead socket: %v", err)
	}
	l, err := Listen(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("socket: %v %v", info, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- l.Serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, r.Method+" "+r.URL.RequestURI())
			if r.URL.Path == "/cut" {
				panic(http.ErrAbortHandler)
			}
		}))
	}()
	for path, ok := range map[string]bool{"/status?all=1": true, "/cut": false} {
		r, err := Do(t.Context(), dir, "POST", path)
		if err != nil {
			if ok {
				t.Fatal(err)
			}
			continue
		}
		text, err := io.ReadAll(r.Body)
		r.Body.Close()
		if ok && (err != nil || string(text) != "POST "+path) || !ok && err == nil {
			t.Errorf("%s: %q, %v", path, text, err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
