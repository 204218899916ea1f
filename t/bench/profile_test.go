package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// checkProfiles profiles the real node for a moment.
func checkProfiles(t *testing.T, bin string) {
	o := &options{profile: t.TempDir(), accounts: 300, measure: time.Second, works: "mixed,updates", outstanding: 64, pace: 1}
	if problem := o.complete(nil); problem != "" {
		t.Fatal(problem)
	}
	o.ncServe = filepath.Join(bin, ncServe)
	b := &bench{options: o, ctx: t.Context(), dir: t.TempDir(), table: newTable(), start0: time.Now()}
	for _, step := range []func() error{b.makeData, b.fill, b.profiles} {
		if err := b.step(step); err != nil {
			b.stopAll()
			t.Fatal(err)
		}
	}
	for _, work := range []string{"mixed", workUpdates} {
		for _, kind := range []string{".cpu.pprof", ".allocs.pprof"} {
			if info, err := os.Stat(filepath.Join(o.profile, work+kind)); err != nil || info.Size() == 0 {
				t.Errorf("want a profile, got %v", err)
			}
		}
		text, err := os.ReadFile(filepath.Join(o.profile, work+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{": processor time\n", ": octets allocated\n", "Type: cpu\n", "Type: alloc_objects\n"} {
			if !strings.Contains(string(text), part) {
				t.Errorf("%s: no %q in\n%s", work, part, text)
			}
		}
	}
}

func TestFetchRefusesAnError(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	defer s.Close()
	path := filepath.Join(t.TempDir(), "profile")
	if err := fetch(t.Context(), s.URL, path); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("want an error with 404, got %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("want no file")
	}
}
