package trial

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"namecast/lib/chain"
	"namecast/lib/chain/client"
)

// The objects of a trial, in each of its chains: keys of their own, an account of
// several keys, and a counter.
const (
	accountName = "account"
	counterName = "counter"
)

var objectNames = []string{"one", "two", accountName, counterName}

// How the load is paced: what a worker waits after each operation, on average.
const (
	loadPause = 40 * time.Millisecond
	idlePause = 300 * time.Millisecond
)

// perClient is how many workers each client has.
const perClient = 3

// A load is the operations of a trial.
type load struct {
	number int
	chains []chain.ID
	idle   bool
	seed   uint64

	stop   context.CancelFunc
	all    sync.WaitGroup
	lastID atomic.Int64

	mu  sync.Mutex
	ops []*op
}

func newLoad(o order, clients []*driven) *load {
	l := &load{number: o.Number, chains: o.Chains, idle: o.Idle, seed: o.Seed}
	ctx, stop := context.WithCancel(context.Background())
	l.stop = stop
	for i, c := range clients {
		for j := range perClient {
			w := &worker{load: l, client: c, twin: clients[(i+1)%len(clients)], seen: map[chain.ID]chain.LSN{}}
			w.name = fmt.Sprintf("%s.%d", c.name, j+1)
			w.rand = rand.New(rand.NewPCG(l.seed, uint64(i*perClient+j)))
			l.all.Go(func() { w.run(ctx) })
		}
	}
	return l
}

// end stops the load, has every client read everything, and gives the history.
// Operations that are under way come to their end first.
func (l *load) end(ctx context.Context, clients []*driven) []*op {
	l.stop()
	l.all.Wait()
	for i, c := range clients {
		w := &worker{load: l, client: c, name: c.name + ".last", seen: map[chain.ID]chain.LSN{}, rand: rand.New(rand.NewPCG(l.seed, uint64(i)))}
		l.all.Go(func() { w.readAll(ctx) })
	}
	l.all.Wait()
	return l.ops
}

// boot is the boot clock's reading.
func boot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		panic(err) // the clock is there on every Linux
	}
	return time.Duration(ts.Nano())
}

// begin makes an operation, and gives it the time of its call.
func (l *load) begin(w *worker, at chain.ID, name string) *op {
	return &op{ID: int(l.lastID.Add(1)), Client: w.name, Chain: at, Object: name, Call: boot()}
}

// finish takes an operation that has come to its end into the history.
func (l *load) finish(o *op, err error) {
	o.Return = boot()
	switch {
	case err == nil:
		o.End = done
	case o.Write != nil && errors.Is(err, client.ErrUnknown):
		o.End = unknown
	default:
		o.End = denied
	}
	if err != nil {
		o.Error = err.Error()
	}
	if err != nil && !errors.Is(err, client.ErrUnknown) && !errors.Is(err, client.ErrUnavailable) {
		o.Strange = "an error that there should not be"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ops = append(l.ops, o)
}

// key is the name of an object's key.
func (l *load) key(name string, key int) []byte {
	return fmt.Appendf(nil, "trial/%d/%s/%d", l.number, name, key)
}

// A worker does one operation after the other with one client. It is a session: it
// never goes back in time where it says what it has seen.
type worker struct {
	*load
	client, twin *driven
	name         string
	rand         *rand.Rand
	seen         map[chain.ID]chain.LSN
	versions     [keys]chain.LSN // of the object that it read last
	last         *sent           // its last write that was answered
}

func (w *worker) run(ctx context.Context) {
	pause := loadPause
	if w.idle {
		pause = idlePause
	}
	for {
		timer := time.NewTimer(time.Duration(w.rand.ExpFloat64() * float64(pause)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		w.one()
	}
}

// one does an operation, or what belongs together.
func (w *worker) one() {
	at := w.chains[w.rand.IntN(len(w.chains))]
	name := objectNames[w.rand.IntN(len(objectNames))]
	kind := w.rand.IntN(100)
	if w.idle && kind >= 40 {
		kind %= 45 // one in ten writes
	}
	switch {
	case kind < 25:
		w.read(at, name, chain.Strong)
	case kind < 32:
		w.read(at, name, chain.Bounded)
	case kind < 40:
		w.read(at, name, chain.Eventual)
	case name == counterName:
		w.increment(at)
	case kind < 42 && w.last != nil:
		w.repeat()
	case kind < 75:
		w.write(at, name, w.puts(name), nil)
	default:
		if _, ok := w.read(at, name, chain.Strong); ok {
			w.write(at, name, w.puts(name), w.conds(name))
		}
	}
}

// limit is how long an operation may take: some are given up soon.
func (w *worker) limit() time.Duration {
	if w.rand.IntN(4) == 0 {
		return 200*time.Millisecond + time.Duration(w.rand.Int64N(int64(2*time.Second)))
	}
	return 8 * time.Second
}

// size is how many keys an object has.
func size(name string) int {
	if name == accountName {
		return keys
	}
	return 1
}

// read reads all keys of an object.
func (w *worker) read(at chain.ID, name string, mode chain.Mode) (*op, bool) {
	o := w.begin(w, at, name)
	o.Read = &read{Mode: mode}
	m := chain.Read{Mode: mode}
	if mode == chain.Bounded {
		m.MaxAge = time.Duration(50+w.rand.IntN(1000)) * time.Millisecond
		o.Read.MaxAge = m.MaxAge
	}
	if mode != chain.Strong && w.rand.IntN(2) == 0 {
		m.MinLSN = w.seen[at]
		o.Read.MinLSN = m.MinLSN
	}
	for k := range size(name) {
		o.Read.Keys = append(o.Read.Keys, k)
		m.Keys = append(m.Keys, w.key(name, k))
	}
	return o, w.ask(o, at, m)
}

// ask sends a read and takes its answer.
func (w *worker) ask(o *op, at chain.ID, m chain.Read) bool {
	ctx, cancel := context.WithTimeout(context.Background(), w.limit())
	defer cancel()
	r, err := w.client.Read(ctx, at, m)
	if err == nil {
		o.Read.LSN = r.LSN
		for i, v := range r.Values {
			got := value{v.Version, string(v.Data)}
			if !v.Found && got != (value{}) || v.Found && (got.Data == "" || got.Version == 0) {
				o.Strange = "a value that cannot be"
			}
			o.Read.Values = append(o.Read.Values, got)
			w.versions[o.Read.Keys[i]] = v.Version
		}
		w.seen[at] = max(w.seen[at], r.LSN)
	}
	w.finish(o, err)
	return err == nil
}

// readAll reads every object of the trial.
func (w *worker) readAll(ctx context.Context) {
	for _, at := range w.chains {
		for _, name := range objectNames {
			var ok bool
			for range 10 { // some have little time
				if _, ok = w.read(at, name, chain.Strong); ok || ctx.Err() != nil {
					break
				}
			}
			if !ok {
				w.mu.Lock()
				w.ops[len(w.ops)-1].Strange = "the cluster is whole, but nothing can be read"
				w.mu.Unlock()
			}
		}
	}
}
