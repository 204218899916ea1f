package paper

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"namecast/lib/key"
	"namecast/lib/nup"
	"namecast/lib/rr"
	"namecast/t/bench/load"
	"namecast/t/tools"
)

var (
	measure = flag.Duration("time", 200*time.Millisecond, "how long each is measured, after a fifth of it")
	rounds  = flag.Int("rounds", 1, "how often")
	write   = flag.String("write", "", "files to write: NAME.tsv, NAME.md, NAME.svg")
)

// As in the paper: threads of its load for questions, and accounts of its updates.
const (
	askers   = 20
	accounts = 32
)

// A bench is what all stacks are measured with.
type bench struct {
	bin, key string
	name     string // of the record that is asked for
	rows     []row
}

// A row is one measurement.
type row struct {
	figure, stack string
	rate          float64       // a second
	cpu           time.Duration // of all processes of the stack, for each
	p50, p99      time.Duration
	bad           uint64
}

// TestFigures measures every stack.
func TestFigures(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes half a minute")
	}
	if runtime.NumCPU() < 2 {
		t.Skip("the load needs a processor of its own")
	}
	b := &bench{bin: tools.Build(t, "nc-chain"), key: filepath.Join(t.TempDir(), "key")}
	b.run(t, "", "nc-keygen", "-o", b.key)
	b.name = "www." + strings.TrimSpace(b.run(t, read(t, b.key), "nc-keygen", "-hash")) + "." + base + "."
	for range *rounds {
		for _, k := range kinds {
			t.Run(k.name, func(t *testing.T) { b.kind(t, k) })
		}
	}
	if *write != "" {
		if err := b.write(*write); err != nil {
			t.Error(err)
		}
	}
}

// kind measures one stack. What it starts inherits the processor of this thread.
func (b *bench) kind(t *testing.T, k kind) {
	if err := load.PinAll(0); err != nil {
		t.Fatal(err)
	}
	s := k.start(t, b)
	b.measure(t, "questions", k.name, func() load.Stream {
		return load.Stream{Addr: s.dns, Sockets: 4, Window: askers / 4, Source: newQuestions(t, b.name)}
	})
	if s.nup.IsValid() {
		b.measure(t, "updates", k.name, func() load.Stream {
			return load.Stream{Addr: s.nup, Sockets: 4, Window: accounts / 4, Source: newUpdates(t)}
		})
	}
}

// measure loads a server and notes what came of it. On a disk that is busy with something
// else one commit may take longer than a short measurement: then a longer one is made.
func (b *bench) measure(t *testing.T, figure, stack string, stream func() load.Stream) {
	var r load.Result
	var marks []time.Duration
	for d := *measure; d <= 16**measure && r.Good == 0; d *= 2 {
		r, marks = loaded(t, d, stream())
	}
	if r.Good == 0 || len(marks) != 2 {
		t.Fatalf("%s: %d good, %d wrong, %d lost", figure, r.Good, r.Wrong, r.Lost)
	}
	w := row{figure, stack, r.Rate(), (marks[1] - marks[0]) / time.Duration(r.Good), r.Latency.Quantile(0.5), r.Latency.Quantile(0.99), r.Wrong + r.Lost}
	t.Logf("%s: %.0f a second, %v of a processor for each, p50 %v, p99 %v, %d bad", figure, w.rate, w.cpu.Round(100*time.Nanosecond), w.p50, w.p99, w.bad)
	if r.Wrong > 0 {
		t.Errorf("%s: %d wrong answers", figure, r.Wrong)
	}
	b.rows = append(b.rows, w)
}

// loaded loads a server for a time, and gives what came of it, and what the processes
// had used of the processors before and after.
func loaded(t *testing.T, d time.Duration, s load.Stream) (load.Result, []time.Duration) {
	var marks []time.Duration
	plan := load.Plan{Warm: d / 5, Measure: d, Mark: func() { marks = append(marks, children(t)) }}
	var results []load.Result
	failed := make(chan error, 1)
	go func() { // a thread of its own, which ends with the goroutine
		runtime.LockOSThread()
		err := load.PinThread(1)
		if err == nil {
			results, err = load.Run(t.Context(), plan, s)
		}
		failed <- err
	}()
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	return results[0], marks
}

// run runs a tool and gives what it writes.
func (b *bench) run(t *testing.T, input, tool string, args ...string) string {
	t.Helper()
	cmd := exec.Command(filepath.Join(b.bin, tool), args...)
	cmd.Stdin = strings.NewReader(input)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s %v: %v\n%s%s", tool, args, err, out.String(), talk.String())
	}
	return out.String()
}

// children is the processor time of all processes below this one that live.
func children(t *testing.T) (sum time.Duration) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Error(err)
	}
	type process struct {
		parent int
		ticks  int64
	}
	all := map[int]process{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		id, _ := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		words := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		parent, _ := strconv.Atoi(words[1])
		user, _ := strconv.ParseInt(words[11], 10, 64)
		system, _ := strconv.ParseInt(words[12], 10, 64)
		all[id] = process{parent, user + system}
	}
	const tick = 10 * time.Millisecond // USER_HZ of every Linux machine that Go runs on
	for _, p := range all {
		for at := p.parent; at > 1; at = all[at].parent {
			if at == os.Getpid() {
				sum += time.Duration(p.ticks) * tick
				break
			}
		}
	}
	return sum
}

// questions ask for one record.
type questions struct {
	packet []byte
	turn   [askers]uint16 // of each slot; the id of a question has both in it
}

// turns is after how many questions a slot's ids are used again.
const turns = 65536 / askers

func newQuestions(t *testing.T, name string) *questions {
	m := new(dns.Msg)
	m.SetQuestion(name, dns.TypeA)
	p, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return &questions{packet: p}
}

// Next implements load.Source.
func (q *questions) Next(slot int) []byte {
	q.turn[slot] = (q.turn[slot] + 1) % turns
	return q.Again(slot)
}

// Again implements load.Source.
func (q *questions) Again(slot int) []byte {
	binary.BigEndian.PutUint16(q.packet, q.turn[slot]*askers+uint16(slot))
	return q.packet
}

// Judge implements load.Source.
func (q *questions) Judge(p []byte) (int, load.Verdict) {
	if len(p) < 12 {
		return 0, load.Stale
	}
	id := binary.BigEndian.Uint16(p)
	slot := int(id % askers)
	switch {
	case q.turn[slot] != id/askers:
		return 0, load.Stale
	case p[3]&15 != 0 || p[7] != 1 || !bytes.HasSuffix(p, []byte{192, 0, 2, 1}):
		return slot, load.Wrong
	}
	return slot, load.Good
}

// updates change a record of each of some accounts, one request at a time.
type updates struct {
	keys  [accounts]*key.Secret
	seq   [accounts]int64
	sent  [accounts][]byte
	slots map[string]int
}

func newUpdates(t *testing.T) *updates {
	u := &updates{slots: map[string]int{}}
	for i := range u.keys {
		k, err := key.Generate(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		u.keys[i], u.slots[string(k.Public().Bytes())], u.seq[i] = k, i, -1
	}
	return u
}

// Next implements load.Source.
func (u *updates) Next(slot int) []byte {
	u.seq[slot]++
	data := rr.Data(binary.BigEndian.AppendUint32(nil, 10<<24|uint32(u.seq[slot])&0xffffff))
	e := nup.Element{Op: nup.OpReplace, Owner: rr.MustName("www"), Type: rr.Type(dns.TypeA), TTL: 60, Data: []rr.Data{data}}
	p, err := nup.Sign(&nup.Request{Version: 1, Service: rr.MustName(base), Seq: u.seq[slot], Elements: []nup.Element{e}}, u.keys[slot])
	if err != nil {
		return nil // ends the load
	}
	u.sent[slot] = p
	return p
}

// Again implements load.Source.
func (u *updates) Again(slot int) []byte { return u.sent[slot] }

// Judge implements load.Source.
func (u *updates) Judge(p []byte) (int, load.Verdict) {
	r, err := nup.ParseReply(p)
	if err != nil {
		return 0, load.Stale
	}
	slot, ok := u.slots[string(r.Key)]
	switch {
	case !ok || r.Seq != u.seq[slot]:
		return 0, load.Stale
	case r.Status != nup.StatusOK:
		return slot, load.Wrong
	}
	return slot, load.Good
}
