package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"namecast/t/bench/load"
)

// A bench is one run.
type bench struct {
	*options
	ctx      context.Context
	root     string // of the source tree
	self     string // this program
	dir      string // everything written but the tables
	memory   string // a folder in memory, where fsync has nothing to do; "" if there is none
	table    *table
	groups   *groups // nil if there can be none
	clusters []*cluster
	peers    []*process
	began    time.Time
}

// run makes everything ready, measures, and writes the tables.
func (o *options) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	b := &bench{options: o, ctx: ctx, table: newTable(), began: time.Now()}
	if b.dir, err = os.MkdirTemp(o.dir, "nc-bench"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	b.findMemory()
	defer os.RemoveAll(b.memory)
	if b.groups, err = newGroups(); err != nil {
		b.say("%v: rows 1, 2 and 6 are left out", err)
	} else {
		defer b.groups.close()
	}
	defer b.stopAll()
	if err := b.build(); err != nil {
		return err
	}
	var failed error // what is measured of other rows is written all the same
	for _, part := range b.parts() {
		if !slices.ContainsFunc(part.rows, b.wanted) {
			continue
		}
		if err := part.do(); err != nil {
			err = fmt.Errorf("rows %v: %w", part.rows, err)
			b.say("%v", err)
			b.table.note("failed", "%v", err)
			failed = errors.Join(failed, err)
		}
		b.stopAll()
	}
	return errors.Join(failed, b.finish())
}

// A part is rows that are measured on the same nodes, which then end.
type part struct {
	rows []int
	do   func() error
}

func (b *bench) parts() []part {
	return []part{
		{[]int{3, 4, 5, 7, 8, 9}, b.plain},
		{[]int{3, 4}, b.plainInMemory},
		{[]int{1, 2, 6}, b.shares},
		{[]int{10}, b.gaps},
		{[]int{11}, b.recruit},
		{[]int{12, 13}, b.names},
		{[]int{14}, b.replicaMemory},
	}
}

// findMemory makes a folder in memory, if /dev/shm is that.
func (b *bench) findMemory() {
	if err := exec.Command("findmnt", "-t", "tmpfs", "/dev/shm").Run(); err == nil {
		b.memory, _ = os.MkdirTemp("/dev/shm", "nc-bench")
	}
}

// stopAll ends every process that runs.
func (b *bench) stopAll() {
	for _, c := range b.clusters {
		c.close()
	}
	for _, p := range b.peers {
		p.stop()
	}
	b.clusters, b.peers = nil, nil
}

// say tells on standard error what happens.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench-chain %4.0fs: %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

// build finds the tree and compiles what is measured.
func (b *bench) build() (err error) {
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	out, err := exec.CommandContext(b.ctx, "go", "list", "-m", "-f", "{{.Dir}}", "namecast").Output()
	if err != nil {
		return fmt.Errorf("find the source tree: %w", err)
	}
	b.root = string(out[:len(out)-1])
	if b.tools == "" {
		b.tools = filepath.Join(b.dir, "bin")
		cmd := exec.CommandContext(b.ctx, "go", "build", "-o", b.tools+"/", "./cmd/nc-chain", "./cmd/nc-keygen", "./cmd/nc-serve", "./t/bench/chain/etcd")
		cmd.Dir = b.root
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build: %w\n%s", err, out)
		}
		b.say("built")
	}
	return load.PinAll(b.loadCPU)
}

// tool is the path of a program that was built.
func (b *bench) tool(name string) string { return filepath.Join(b.tools, name) }

// finish writes the tables.
func (b *bench) finish() error {
	b.describe()
	b.say("done")
	if err := b.table.writeMarkdown(os.Stdout); err != nil {
		return err
	}
	if b.out == "" {
		b.out = filepath.Join(b.root, "t", "bench", "chain", "results")
	}
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return err
	}
	name := filepath.Join(b.out, b.name)
	return errors.Join(save(name+".tsv", b.table.writeTSV), save(name+".md", b.table.writeMarkdown))
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

// measured runs streams and notes what came of all of them together: their rate, the
// time until the answer, and the processor time of some processes for each request.
func (b *bench) measured(row, who string, l *links, of []*process, streams ...stream) error {
	all := &tally{}
	for i := range streams {
		streams[i].tally = all
	}
	var marks []time.Duration
	if err := l.run(b.ctx, b.warm(), b.measure, func() { marks = append(marks, cpuTime(of)) }, streams...); err != nil {
		return fmt.Errorf("%s: %w", who, err)
	}
	return b.note(row, who, marks[1]-marks[0], all)
}

// note puts what was counted into the table.
func (b *bench) note(row, who string, cpu time.Duration, t *tally) error {
	if t.good == 0 {
		return fmt.Errorf("%s: %s: no right answer, %d others", row, who, t.bad)
	}
	b.table.add(cell{row, who, "rate"}, t.rate())
	b.table.add(cell{row, who, "cpu"}, cpu.Seconds()*1e6/float64(t.good))
	b.table.add(cell{row, who, "used"}, 100*cpu.Seconds()/t.elapsed.Seconds())
	b.table.add(cell{row, who, "p50"}, t.latency.Quantile(0.5).Seconds()*1e6)
	b.table.add(cell{row, who, "p99"}, t.latency.Quantile(0.99).Seconds()*1e6)
	b.table.add(cell{row, who, "bad"}, float64(t.bad))
	return nil
}
