package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
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
	t.note("data", "%d accounts of %d records, %d records", len(b.data.accounts), perUser, b.data.records())
	t.note("placement", "servers on processor %d, one at a time; load on processor %d, over loopback", b.serverCPU, b.loadCPU)
	t.note("load", "answers: %d sockets with %d outstanding each; updates: %d outstanding; quiet and busy: %d questions a second",
		sockets, window, b.outstanding, b.pace)
	t.note("rounds", "%d of %s each, servers in turn", b.rounds, b.measure)
	for _, k := range b.kinds() {
		if !b.wanted(k) || k.noZone {
			continue
		}
		line := k.about()
		if k.update != "" {
			line += "; updates: " + k.update
		}
		t.note(k.name, "%s", line)
	}
}

// commit is the commit of the tree, with a mark if the tree is not as committed.
func commit(root string) string {
	out, err := exec.Command("git", "-C", root, "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	id := strings.TrimSpace(string(out))
	// The tables themselves change with each run.
	if out, err := exec.Command("git", "-C", root, "status", "--porcelain", "--", ".", ":!t/bench/results").Output(); err != nil || len(out) > 0 {
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

// floors measures what bounds signed updates and signed answers whoever makes
// them, on the load's processor.
func (b *bench) floors() error {
	if b.check != "" {
		return nil // nothing that is compared needs them
	}
	message := make([]byte, 200)
	private := accountKey(0)
	public := private.Public().(ed25519.PublicKey)
	signature := ed25519.Sign(private, message)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make key: %w", err)
	}
	f, err := os.Create(filepath.Join(b.dir, "sync"))
	if err != nil {
		return fmt.Errorf("measure the disk: %w", err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	err = b.floor(floorVerify, func() error { ed25519.Verify(public, message, signature); return nil })
	if err != nil {
		return err
	}
	err = b.floor(floorSign, func() error {
		h := sha256.Sum256(message)
		_, err := ecdsa.SignASN1(rand.Reader, p256, h[:])
		return err
	})
	if err != nil {
		return err
	}
	return b.floor(floorSync, func() error {
		if _, err := f.Write(block); err != nil {
			return err
		}
		return unix.Fdatasync(int(f.Fd()))
	})
}

// floor counts how often a second f can be done, several times.
func (b *bench) floor(name string, f func() error) error {
	for range 3 {
		const span = 200 * time.Millisecond
		n, start := 0, time.Now()
		for ; time.Since(start) < span; n++ {
			if err := f(); err != nil {
				return fmt.Errorf("measure %s: %w", name, err)
			}
		}
		b.table.add(cell{workFloor, name, "rate"}, float64(n)/time.Since(start).Seconds())
	}
	return nil
}
