package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"namecast/t/bench/load"
)

// A bench is one run.
type bench struct {
	*options
	ctx     context.Context
	root    string // of the source tree
	self    string // this program
	dir     string // everything written but the tables
	db      string // nc-serve's
	data    *dataset
	plain   zoneFile
	signed  string      // the zone file with signatures, once it is made
	authors *nupUpdater // nc-serve's accounts, whose sequence numbers go on
	table   *table
	running []*server
	loading bool // the data is not complete yet
	start0  time.Time
}

// run makes everything ready, measures, and writes or checks the tables.
func (o *options) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	b := &bench{options: o, ctx: ctx, table: newTable(), start0: time.Now()}
	if b.check != "" {
		if why := b.cannotCheck(); why != "" {
			_, err := fmt.Printf("check: %s: nothing compared\n", why)
			return err
		}
	}
	if b.dir, err = os.MkdirTemp(o.dir, "nc-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	defer b.stopAll()
	steps := []func() error{b.build, b.makeData, b.place, b.fill, b.suites, b.finish}
	if b.profile != "" {
		steps = []func() error{b.build, b.makeData, b.place, b.fill, b.profiles}
	}
	for _, step := range steps {
		if err := b.step(step); err != nil {
			return err
		}
	}
	return nil
}

// step does a part of the run, after which no server runs.
func (b *bench) step(do func() error) error {
	if err := do(); err != nil {
		return err
	}
	b.stopAll()
	if err := b.ctx.Err(); err != nil {
		return fmt.Errorf("stopped after %s: %w", time.Since(b.start0).Round(time.Second), err)
	}
	return nil
}

// suites measures everything.
func (b *bench) suites() error {
	for _, suite := range []func() error{b.floors, b.suitePlain, b.floors, b.suiteSigned, b.floors, b.suiteUpdates} {
		if err := b.step(suite); err != nil {
			return err
		}
	}
	return nil
}

// say tells on standard error what happens.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench %4.0fs: %s\n", time.Since(b.start0).Seconds(), fmt.Sprintf(format, args...))
}

// wanted tells whether a server was asked for.
func (b *bench) wanted(k *kind) bool { return has(b.servers, k.name) }

// build finds the tree, installs the peers for a table, and compiles nc-serve.
func (b *bench) build() (err error) {
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "namecast").Output()
	if err != nil {
		return fmt.Errorf("find the source tree: %w", err)
	}
	b.root = string(out[:len(out)-1])
	if b.profile == "" && b.check == "" {
		b.install()
	}
	if b.ncServe != "" {
		b.ncServe, err = filepath.Abs(b.ncServe)
		return err
	}
	b.ncServe = filepath.Join(b.dir, ncServe)
	build := exec.Command("go", "build", "-o", b.ncServe, "./cmd/nc-serve")
	build.Dir = b.root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build nc-serve: %w\n%s", err, out)
	}
	return nil
}

// install installs the peers and what is needed beside them.
func (b *bench) install() {
	wanted := []string{filepath.Join(b.root, "t", "peers", "install.sh"), "nsd nsd", "knotd knot", "named bind9",
		"dnssec-signzone bind9-utils", "pdns_server pdns-server pdns-backend-bind", "dnsperf dnsperf"}
	if has(b.servers, "pdns-mysql") {
		wanted = append(wanted, "mariadbd mariadb-server pdns-backend-mysql")
	}
	cmd := exec.CommandContext(b.ctx, "sh", wanted...)
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		b.say("install peers: %v", err)
	}
}

// place moves this process to its processor.
func (b *bench) place() error {
	if b.serverCPU == b.loadCPU {
		b.say("one processor for servers and load: rates and times mean little")
	}
	return load.PinAll(b.loadCPU)
}

// makeData makes the accounts and the zone.
func (b *bench) makeData() error {
	b.data = newDataset(b.accounts)
	b.plain.path = filepath.Join(b.dir, "plain.zone")
	if err := b.data.writeZone(b.plain.path); err != nil {
		return err
	}
	b.say("%d records in the zone", b.data.records())
	return nil
}

// fill fills a new node's database.
func (b *bench) fill() error {
	b.db = filepath.Join(b.dir, "db")
	switch {
	case !has(b.servers, ncServe):
		return nil
	case b.accounts < manyAccounts:
		return b.register()
	}
	if err := b.data.restore(b.ncServe, b.db); err != nil {
		return err
	}
	b.say("%d accounts restored from a backup", b.accounts)
	return nil
}

// register makes the accounts by the updates that their users would send.
func (b *bench) register() error {
	b.loading = true
	defer func() { b.loading = false }()
	s, err := b.start(b.kindNamed(ncServe), b.plain)
	if err != nil {
		return err
	}
	source := newAccountMaker(b.data, b.outstanding)
	r, err := load.Run(b.ctx, load.Plan{Measure: b.limit}, load.Stream{Addr: s.nup, Sockets: sockets, Window: b.outstanding / sockets, Source: source})
	if err != nil {
		return fmt.Errorf("fill the node: %w\n%s", err, s.tail())
	}
	if r[0].Good != uint64(b.accounts) {
		return fmt.Errorf("fill the node: %d accounts of %d were made\n%s", r[0].Good, b.accounts, s.tail())
	}
	b.say("%d accounts made, %.0f a second", b.accounts, r[0].Rate())
	return nil
}

func (b *bench) kindNamed(name string) *kind {
	for _, k := range b.kinds() {
		if k.name == name {
			return k
		}
	}
	return nil
}

// startAll starts the wanted servers that fit, each several times, and records
// how long that took and how much memory they have at first.
func (b *bench) startAll(work string, z zoneFile, fits func(*kind) bool) (list []*server, err error) {
	for _, k := range b.kinds() {
		if !b.wanted(k) || !fits(k) {
			continue
		}
		s, err := b.startTimed(work, k, z)
		switch {
		case err == nil:
			list = append(list, s)
		case b.ctx.Err() != nil || k.version == nil: // told to end, or it is what is measured, or its floor
			return nil, err
		default:
			b.say("%v: left out", err)
		}
	}
	return list, b.ctx.Err()
}

// starts is how often a start is timed.
const starts = 3

func (b *bench) startTimed(work string, k *kind, z zoneFile) (s *server, err error) {
	for i := range starts {
		if s, err = b.start(k, z); err != nil || k.noZone || z.dynamic {
			return s, err
		}
		b.table.add(cell{work, k.name, "start"}, float64(s.ready.Microseconds())/1000)
		if i < starts-1 {
			s.stop()
		}
	}
	return s, nil
}

// finish writes the tables and charts, or compares with recorded ones.
func (b *bench) finish() error {
	if b.check != "" {
		return b.compare()
	}
	b.describe()
	b.say("done")
	if err := b.table.writeMarkdown(os.Stdout); err != nil {
		return err
	}
	if b.out == "" {
		b.out = filepath.Join(b.root, "t", "bench", "results")
	}
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return err
	}
	name := filepath.Join(b.out, b.name)
	if err := save(name+".tsv", b.table.writeTSV); err != nil {
		return err
	}
	charts, err := b.table.draw(name)
	if err != nil {
		return err
	}
	return save(name+".md", func(w io.Writer) error {
		return errors.Join(b.table.writeMarkdown(w), writeLinks(w, charts))
	})
}

// save writes a file whole or not at all.
func save(path string, write func(io.Writer) error) error {
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := write(f); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
