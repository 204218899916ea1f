package sim

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"time"

	"namecast/lib/peer"
)

// Carriers is the number of what can carry an answer.
const Carriers = int(peer.ByNobody) + 1

// A Minute is what happened in one.
type Minute struct {
	Lookups   int
	By        [Carriers]int // answered or not, by what
	Wrong     int           // answered otherwise than the name server would then
	Lies      int           // answered with a liar's lie
	Fetches   int           // questions to the name server
	Unicast   int           // packets to one node
	Multicast int           // to all
	Octets    int           // of both
	times     []float32     // of answers, in milliseconds
}

// Answered is the number of lookups that something answered.
func (m *Minute) Answered() int {
	n := 0
	for by, k := range m.By {
		if by != int(peer.ByNobody) {
			n += k
		}
	}
	return n
}

// Cached is the number of lookups that the own cache answered, in its time: what a cache
// that keeps nothing stale does in an outage.
func (m *Minute) Cached() int { return m.By[peer.ByCache] }

// Packets is the number of packets in the local network.
func (m *Minute) Packets() int { return m.Unicast + m.Multicast }

// add adds what happened in another one.
func (m *Minute) add(o *Minute) {
	m.Lookups += o.Lookups
	for i := range m.By {
		m.By[i] += o.By[i]
	}
	m.Wrong += o.Wrong
	m.Lies += o.Lies
	m.Fetches += o.Fetches
	m.Unicast += o.Unicast
	m.Multicast += o.Multicast
	m.Octets += o.Octets
	m.times = append(m.times, o.times...)
}

// Quantile is the time in which a share of the lookups was answered, or failed.
func (m *Minute) Quantile(share float64) time.Duration {
	if len(m.times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(m.times))
	return time.Duration(sorted[min(len(sorted)-1, int(share*float64(len(sorted))))] * float32(time.Millisecond))
}

// Times gives the times of all lookups, in milliseconds, sorted.
func (m *Minute) Times() []float32 { return slices.Sorted(slices.Values(m.times)) }

// A Result is what a run was like.
type Result struct {
	c          Config
	minutes    []Minute // from Warm on
	Kept       int      // entries of all nodes at the end
	Unanswered int      // lookups without any reply at the end
}

func newResult(c Config) *Result {
	return &Result{c: c, minutes: make([]Minute, (c.Before+c.After)/time.Minute+2)}
}

// minute gives that of a time.
func (r *Result) minute(at time.Duration) *Minute {
	i := int((at - r.c.Warm) / time.Minute)
	return &r.minutes[min(max(i, 0), len(r.minutes)-1)]
}

// reply notes how a lookup ended. It counts in the minute in which it began.
func (r *Result) reply(s *sim, q Lookup, a peer.Reply) {
	m := r.minute(q.At)
	m.By[a.By]++
	m.times = append(m.times, float32(s.now-q.At)/float32(time.Millisecond))
	if a.By == peer.ByNobody || a.Msg == nil {
		return
	}
	switch {
	case isLie(a.Msg):
		m.Lies++
	case !bytes.Equal(a.Msg, s.w.at(q.Name, s.now).msg):
		m.Wrong++
	}
}

// Between sums up what happened from one time to another, counted from the death of the
// name server, before which times are negative.
func (r *Result) Between(from, to time.Duration) Minute {
	var sum Minute
	for i := range r.minutes {
		at := time.Duration(i)*time.Minute - r.c.Before
		if at >= from && at < to {
			sum.add(&r.minutes[i])
		}
	}
	return sum
}

// Windows are the times since the death of the name server by which results are given.
var Windows = []time.Duration{0, time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 4 * time.Hour, 24 * time.Hour}

// WindowNames are what lies between them.
var WindowNames = []string{"0-1m", "1-5m", "5-15m", "15-60m", "1-4h", "4-24h"}

// Percent gives for each window how many of a hundred lookups had what count counts; -1
// where there were none.
func (r *Result) Percent(count func(*Minute) int) []float64 {
	out := make([]float64, len(WindowNames))
	for i := range out {
		m := r.Between(Windows[i], Windows[i+1])
		out[i] = -1
		if m.Lookups > 0 {
			out[i] = 100 * float64(count(&m)) / float64(m.Lookups)
		}
	}
	return out
}

// WriteTSV writes a line for each minute.
func (r *Result) WriteTSV(w io.Writer) error {
	fmt.Fprint(w, "minute\tlookups")
	for by := range Carriers {
		fmt.Fprintf(w, "\t%s", peer.By(by))
	}
	fmt.Fprintln(w, "\twrong\tlies\tfetches\tunicast\tmulticast\toctets\tp50ms\tp90ms\tp99ms")
	for i := range r.minutes {
		m := &r.minutes[i]
		fmt.Fprintf(w, "%d\t%d", i-int(r.c.Before/time.Minute), m.Lookups)
		for _, n := range m.By {
			fmt.Fprintf(w, "\t%d", n)
		}
		_, err := fmt.Fprintf(w, "\t%d\t%d\t%d\t%d\t%d\t%d\t%.2f\t%.2f\t%.2f\n", m.Wrong, m.Lies, m.Fetches, m.Unicast, m.Multicast, m.Octets,
			ms(m.Quantile(0.5)), ms(m.Quantile(0.9)), ms(m.Quantile(0.99)))
		if err != nil {
			return err
		}
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
