package watch

import (
	"container/heap"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	mrand "math/rand/v2"
	"strings"
	"sync"
	"time"

	"namecast/lib/key"
	"namecast/lib/quorum"
)

// A world is some nodes of one prefix in virtual time. What happens is a function
// of the seed.
type world struct {
	*mrand.Rand
	seed    uint64
	now     time.Duration
	queue   queue
	order   uint64
	nodes   []*node
	list    quorum.Nodes
	cut     [8][8]bool    // whose datagrams do not arrive at whom
	loss    float64       // of datagrams
	dark    time.Duration // since when nobody announces; -1 if somebody does
	worst   time.Duration // the longest that nobody announced though somebody could
	orders  int
	failure string
	log     []string
	verbose bool
}

// An item is something that will happen.
type item struct {
	at    time.Duration
	order uint64
	do    func()
}

type queue []item

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(item)) }
func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}

// lists are the nodes' lists of each size; their keys never sign anything here.
var lists = sync.OnceValue(func() (ls [6]quorum.Nodes) {
	var text strings.Builder
	for i := range 5 {
		secret, err := key.Generate(rand.Reader)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&text, "node=%s key=%s watch=192.0.2.%d:8154 bgp=192.0.2.%d:8155 dns=192.0.2.%d:53\n", nodeName(i),
			base64.StdEncoding.EncodeToString(secret.Public().Bytes()[1:]), i+1, i+1, i+1)
		if ls[i+1], err = quorum.ParseNodes(strings.NewReader(text.String())); err != nil {
			panic(err)
		}
	}
	return ls
})

func nodeName(i int) string { return string(rune('a' + i)) }

// newWorld makes a world of n nodes, none of which has begun.
func newWorld(seed uint64, n int) *world {
	w := &world{Rand: mrand.New(mrand.NewPCG(seed, 3)), seed: seed, now: time.Second, list: lists()[n], dark: -1, verbose: *one > 0}
	for i := range n {
		w.nodes = append(w.nodes, newNode(w, i))
	}
	return w
}

// at has something happen.
func (w *world) at(t time.Duration, do func()) {
	w.order++
	heap.Push(&w.queue, item{max(t, w.now), w.order, do})
}

func (w *world) after(d time.Duration, do func()) { w.at(w.now+d, do) }

// between gives a time by chance.
func (w *world) between(from, to time.Duration) time.Duration {
	return from + time.Duration(w.Int64N(int64(to-from)+1))
}

// run lets things happen until a time, or until something is wrong.
func (w *world) run(until time.Duration) {
	for w.failure == "" && len(w.queue) > 0 && w.queue[0].at <= until {
		it := heap.Pop(&w.queue).(item)
		w.lit(it.at)
		w.now = it.at
		it.do()
	}
	w.now = until
}

func (w *world) fail(format string, a ...any) {
	if w.failure == "" {
		w.failure = fmt.Sprintf("at %v: ", w.now) + fmt.Sprintf(format, a...)
	}
}

func (w *world) note(format string, a ...any) {
	if !w.verbose {
		return
	}
	w.log = append(w.log, fmt.Sprintf("%10.3fs ", w.now.Seconds())+fmt.Sprintf(format, a...))
}

// reaches reports whether a datagram arrives.
func (w *world) reaches(from, to *node) bool {
	return !w.cut[from.id][to.id] && from.on && to.on && w.Float64() >= w.loss
}

// lit checks, before the time goes on, that somebody announced at the latest two
// seconds after nobody did any more, if there was somebody to do so all the time.
func (w *world) lit(until time.Duration) {
	var able *node
	for _, n := range w.nodes {
		if n.effective() != Withdraw {
			w.dark = -1
			return
		}
		if n.able() && (able == nil || n.ableSince < able.ableSince) {
			able = n
		}
	}
	if w.dark < 0 {
		w.dark = w.now
	}
	if able == nil {
		return
	}
	since := max(w.dark, able.ableSince)
	w.worst = max(w.worst, until-since)
	if until-since > 2*time.Second {
		p := able.watch.State().Prefixes[0]
		w.fail("nobody has announced since %v, and %s could: %s: %s", since, able.name, p.Row, p.Why)
	}
}
