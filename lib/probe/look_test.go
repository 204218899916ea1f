package probe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestHTTP(t *testing.T) {
	hold := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok\nand more") })
	mux.HandleFunc("/ill", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no \x1b[1mstorage", http.StatusServiceUnavailable)
	})
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusFound) })
	mux.HandleFunc("/slow", func(http.ResponseWriter, *http.Request) { <-hold })
	srv := httptest.NewServer(mux)
	defer srv.Close()
	defer close(hold)
	ask := func(path string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		return parse(t, "http", "url="+srv.URL+path).Look(ctx)
	}
	if detail, err := ask("/ok"); detail != "ok" || err != nil {
		t.Errorf("well: %q, %v", detail, err)
	}
	if _, err := ask("/ill"); !errors.Is(err, ErrWrong) || !strings.Contains(err.Error(), "status 503: no  [1mstorage") {
		t.Errorf("ill: %v", err)
	}
	if _, err := ask("/away"); !errors.Is(err, ErrWrong) {
		t.Errorf("redirected: %v", err)
	}
	if _, err := ask("/slow"); !Timeout(err) {
		t.Errorf("slow: %v", err)
	}
}

func TestMetric(t *testing.T) {
	value := 5
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# HELP n N.\nn_more 9\nn{a=\"b\"} 7 1600000000\nn %d\nbad x\ninf +Inf\nnan NaN\n", value)
	}))
	defer srv.Close()
	for words, want := range map[string]string{
		"metric=n max=5":                  "",
		"metric=n max=4":                  "n is 5, not within -Inf to 4",
		"metric=n min=6":                  "n is 5, not within 6 to +Inf",
		"metric='n{a=\"b\"}' min=7 max=7": "",
		"metric=none":                     "no metric none",
		"metric=bad":                      "no metric bad",
		"metric=nan":                      "not within",
		"metric=inf max=3":                "not within",
	} {
		_, err := parse(t, "metric", "url="+srv.URL+" "+words).Look(t.Context())
		if want == "" && err != nil || want != "" && (!errors.Is(err, ErrWrong) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", words, err, want)
		}
	}
	rises := parse(t, "metric", "url="+srv.URL+" metric=n rises")
	for i, c := range []struct {
		value int
		well  bool
	}{{5, true}, {5, false}, {6, true}, {5, false}, {7, true}} {
		value = c.value
		if _, err := rises.Look(t.Context()); (err == nil) != c.well {
			t.Errorf("look %d at %d: %v", i, c.value, err)
		}
	}
	if v, err := parse(t, "counter", "url="+srv.URL+" metric=n").Counter.Read(t.Context()); v != 7 || err != nil {
		t.Errorf("counter: %v, %v", v, err)
	}
}

func TestCommand(t *testing.T) {
	for _, c := range []struct{ command, detail, err string }{
		{"echo well; echo more", "well", ""},
		{"exit 3", "", "exit status 3"},
		{"echo it is ill >&2; exit 1", "it is ill", "exit status 1: it is ill"},
		{"kill -9 $$", "", "signal: killed"},
		{"yes | head -c 100000", "y", ""},
	} {
		detail, err := Command(c.command)(t.Context())
		if detail != c.detail || c.err == "" && err != nil || c.err != "" && (err == nil || err.Error() != c.err) {
			t.Errorf("%s: %q, %v", c.command, detail, err)
		}
	}
}

// TestCommandHangs sees that what the command started goes with it.
func TestCommandHangs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := Command("sleep 100 & echo $! > " + file + "; wait")(ctx)
	if !Timeout(err) {
		t.Fatalf("%v", err)
	}
	p := Process{Pid: PidFile(file)}
	defer p.Close()
	awaitGone(t, &p)
}

// awaitGone waits until a process has ended.
func awaitGone(t *testing.T, p *Process) {
	t.Helper()
	if _, err := p.Look(t.Context()); errors.Is(err, ErrExited) {
		return
	} else if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := p.Wait(ctx); !errors.Is(err, ErrExited) {
		t.Fatalf("it does not end: %v", err)
	}
}

func TestProcess(t *testing.T) {
	cmd := exec.Command("sleep", "100")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	file := filepath.Join(t.TempDir(), "pid")
	p := Process{Pid: PidFile(file)}
	defer p.Close()
	if _, err := p.Look(t.Context()); !errors.Is(err, ErrExited) {
		t.Fatalf("without the file: %v", err)
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := p.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if err := p.Wait(ctx); err != nil {
			t.Fatalf("it runs, and is said to have ended: %v", err)
		}
		cancel()
	}
	killed := make(chan time.Time, 1)
	go func() {
		at := time.Now()
		cmd.Process.Kill()
		killed <- at
	}()
	if err := p.Wait(t.Context()); !errors.Is(err, ErrExited) {
		t.Fatal(err)
	}
	t.Logf("the end was known after %v", time.Since(<-killed))
	if _, err := p.Look(t.Context()); !errors.Is(err, ErrExited) {
		t.Errorf("after its end: %v", err) // not waited for yet: a zombie has ended
	}
}

func TestPid(t *testing.T) {
	for command, want := range map[string]error{
		"echo 0": ErrExited, "true": ErrExited, "echo -1": ErrWrong, "echo one": ErrWrong, "echo 99999999999": ErrWrong,
	} {
		if _, err := PidCommand(command)(t.Context()); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", command, err, want)
		}
	}
	if _, err := PidCommand("exit 1")(t.Context()); err == nil || errors.Is(err, ErrExited) {
		t.Errorf("a command that fails: %v", err)
	}
	if pid, err := PidCommand("echo 17")(t.Context()); pid != 17 || err != nil {
		t.Errorf("17: %d, %v", pid, err)
	}
}

func FuzzFind(f *testing.F) {
	f.Add([]byte("# HELP n N.\nn{a=\"b\"} 7 1600000000\nn 5\n"), "n")
	f.Add([]byte("n +Inf"), "n")
	f.Add([]byte("n\n n 1\nn 1 2 3"), "n")
	f.Fuzz(func(t *testing.T, page []byte, name string) {
		if v, ok := find(page, name); !ok && v != 0 && !math.IsInf(v, 0) {
			t.Errorf("%v without being there", v)
		}
	})
}
