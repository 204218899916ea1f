package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"namecast/t/bench/load"
)

// profiles loads nc-serve with each work in turn and leaves its profiles.
func (b *bench) profiles() error {
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	s, err := b.start(b.kindNamed(ncServe), b.plain)
	if err != nil {
		return err
	}
	var wanted []mix
	for _, signed := range []bool{false, true} {
		wanted = append(wanted, b.wantedMixes(signed)...)
	}
	loads, err := b.warmUp(wanted, []*server{s})
	if err != nil {
		return err
	}
	for i, m := range wanted {
		loads[i].setCookie(learnCookie(s))
		stream := load.Stream{Addr: s.dns, Sockets: sockets, Window: window, Source: loads[i]}
		if err := b.profileUnder(m.name, s, stream); err != nil {
			return err
		}
	}
	if has(b.works, workUpdates) {
		if err := b.profileUpdates(s); err != nil {
			return err
		}
	}
	b.say("profiles are in %s", b.profile)
	return nil
}

// profileUpdates takes the profiles of updates, as many of which are signed
// before as a short trial says that the server takes meanwhile.
func (b *bench) profileUpdates(s *server) error {
	const trial = 2000
	u := updates{bench: b, loads: map[*server]updater{s: b.updater(s)}}
	if err := u.loads[s].prepare(trial); err != nil {
		return err
	}
	r, err := b.load(s, load.Plan{Measure: time.Second}, u.stream(s, 0))
	if err != nil {
		return err
	}
	if err := u.loads[s].prepare(int(1.5 * r[0].Rate() * (warm + b.measure + time.Second).Seconds())); err != nil {
		return err
	}
	return b.profileUnder(workUpdates, s, u.stream(s, 0))
}

// profileUnder takes the profiles of a server while it is loaded with one work:
// name.cpu.pprof, name.allocs.pprof, and name.txt for people.
func (b *bench) profileUnder(work string, s *server, stream load.Stream) error {
	name := filepath.Join(b.profile, work)
	files := [2]string{name + ".cpu.pprof", name + ".allocs.pprof"}
	var errs [2]error
	var fetches sync.WaitGroup
	var once sync.Once
	begin := func() { // called at the end as well
		once.Do(func() {
			for i, what := range []string{"profile", "allocs"} {
				url := fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%d", s.http, what, max(1, int(b.measure.Seconds())))
				fetches.Go(func() { errs[i] = fetch(b.ctx, url, files[i]) })
			}
		})
	}
	// The load outlives the profiles a little, whose begin it does not see.
	r, err := b.load(s, load.Plan{Warm: warm, Measure: b.measure + time.Second, Mark: begin}, stream)
	fetches.Wait()
	if err := errors.Join(err, errs[0], errs[1]); err != nil {
		return fmt.Errorf("profile %s: %w", work, err)
	}
	b.say("%s: profiled at %.0f a second, %d wrong", work, r[0].Rate(), r[0].Wrong)
	return save(name+".txt", func(w io.Writer) error { return writeTop(b.ctx, w, work, files[0], files[1]) })
}

// fetch stores what a URL gives.
func fetch(ctx context.Context, url, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: %s", url, r.Status)
	}
	return save(path, func(w io.Writer) error {
		_, err := io.Copy(w, r.Body)
		return err
	})
}

// writeTop writes the functions that take most.
func writeTop(ctx context.Context, w io.Writer, work, cpu, allocs string) error {
	for _, part := range []struct{ title, order, index, file string }{
		{"processor time", "-flat", "cpu", cpu},
		{"processor time, what it calls included", "-cum", "cpu", cpu},
		{"octets allocated", "-flat", "alloc_space", allocs},
		{"objects allocated", "-flat", "alloc_objects", allocs},
	} {
		cmd := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", part.order, "-nodecount=30", "-sample_index="+part.index, part.file)
		var complaints bytes.Buffer
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("read %s: %w: %s", part.file, err, strings.TrimSpace(complaints.String()))
		}
		if _, err := fmt.Fprintf(w, "== %s: %s\n%s\n", work, part.title, out); err != nil {
			return err
		}
	}
	return nil
}
