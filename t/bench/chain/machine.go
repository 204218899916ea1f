package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// describe notes what was measured, where and how.
func (b *bench) describe() {
	t := b.table
	t.note("commit", "%s", commit(b.root))
	t.note("date", "%s", time.Now().UTC().Format("2006-01-02 15:04 UTC"))
	t.note("machine", "%s, %d processors, Linux %s", processor(), runtime.NumCPU(), release())
	t.note("go", "%s", runtime.Version())
	t.note("etcd", "%s, three members, fsync on", b.moduleVersion("go.etcd.io/etcd/server/v3"))
	t.note("placement", "all nodes on processor %d (rows 10, 11, 14: on all), load on processor %d, over loopback", b.serverCPU, b.loadCPU)
	if b.groups != nil {
		t.note("shares", "rows 1, 2 and 6: each node has %d %% of a processor, in periods of %s", b.percent, groupPeriod)
	}
	t.note("load", "values of %d octets; %d requests under way, in rows 1 and 2 %d at each node", valueSize, clients, shareWindow)
	t.note("rounds", "%d of %s each, in turn; row 10: %d kills", b.rounds, b.measure, b.kills)
}

// moduleVersion is the version of a module that this one is built with.
func (b *bench) moduleVersion(path string) string {
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Version}}", path)
	cmd.Dir = b.root
	out, err := cmd.Output()
	if err != nil {
		return "of unknown version"
	}
	return strings.TrimSpace(string(out))
}

// commit is the commit of the tree, with a mark if the tree is not as committed.
func commit(root string) string {
	out, err := exec.Command("git", "-C", root, "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	id := strings.TrimSpace(string(out))
	// The tables themselves change with each run.
	results := ":!" + filepath.Join("t", "bench", "chain", "results")
	if out, err := exec.Command("git", "-C", root, "status", "--porcelain", "--", ".", results).Output(); err != nil || len(out) > 0 {
		id += ", changed"
	}
	return id
}

// processor is what the first processor calls itself.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if key, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "of unknown release"
	}
	return unix.ByteSliceToString(u.Release[:])
}
