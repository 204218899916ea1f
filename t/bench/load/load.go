// Package load sends packets to a server, a fixed number at a time, and counts
// what comes back.
//
// Everything is done by one thread that never sleeps: it reads all sockets in
// turn and sends a new packet for each reply. A client that slept would have to
// be woken by the server's sending, on the server's time.
package load

import (
	"context"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// A Source makes packets and judges their replies. A slot is a place for one
// outstanding packet, from 0 on.
type Source interface {
	// Next is the slot's next packet, or nil, which ends the load. It is
	// read before the slot's next packet is asked for, and not kept.
	Next(slot int) []byte
	// Again is the packet to send after the slot's last one was lost.
	Again(slot int) []byte
	// Judge tells which slot a packet is the reply for, and whether it is right.
	Judge(p []byte) (slot int, v Verdict)
}

// A Verdict is what a packet is worth.
type Verdict int

// The verdicts.
const (
	Stale Verdict = iota // no reply to what is outstanding
	Good
	Wrong
)

// A Stream is a load on one address.
type Stream struct {
	Addr    netip.AddrPort
	Sockets int
	Window  int     // packets outstanding on each socket
	Rate    float64 // packets a second; 0: one for each reply
	Source  Source
}

// A Plan says how long. A load ends early when its sources have no more packets.
type Plan struct {
	Warm    time.Duration // not counted
	Measure time.Duration
	Count   uint64 // replies to the first stream after which to end, warm or not; 0 is no limit
	Mark    func() // called at the begin and at the end of what is measured; may be nil
}

// A Result is what was counted of one stream.
type Result struct {
	Good, Wrong, Lost uint64
	Octets            uint64 // of all replies
	Elapsed           time.Duration
	Latency           Histogram
}

// Rate is right replies a second.
func (r *Result) Rate() float64 { return float64(r.Good) / max(r.Elapsed.Seconds(), 1e-9) }

const (
	patience = time.Second            // after which a packet is lost
	sweep    = 100 * time.Millisecond // how often lost ones are looked for
	drain    = 3 * time.Second        // how long the last replies are waited for
)

// Run loads all streams at once and returns their results in order. The error
// is that of a socket or of the context.
func Run(ctx context.Context, p Plan, streams ...Stream) ([]Result, error) {
	r := &run{ctx: ctx, plan: p}
	defer r.close()
	for _, s := range streams {
		l, err := newLane(s)
		if err != nil {
			return nil, err
		}
		r.lanes = append(r.lanes, l)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r.loop()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	results := make([]Result, len(r.lanes))
	for i, l := range r.lanes {
		results[i] = l.result
		results[i].Elapsed = r.end - r.begin
	}
	return results, nil
}

// A run is the state of Run.
type run struct {
	ctx        context.Context
	plan       Plan
	lanes      []*lane
	begin, end time.Duration // of what is measured, since the start
}

func (r *run) close() {
	for _, l := range r.lanes {
		l.close()
	}
}

func (r *run) mark() {
	if r.plan.Mark != nil {
		r.plan.Mark()
	}
}

func (r *run) loop() {
	start := time.Now()
	for _, l := range r.lanes {
		l.fill(0)
	}
	if r.plan.Warm > 0 {
		r.drive(start, r.plan.Warm)
	}
	r.mark()
	r.begin = time.Since(start)
	for _, l := range r.lanes {
		l.result = Result{}
	}
	r.drive(start, r.begin+r.plan.Measure)
	r.end = time.Since(start)
	r.mark()
	counted := make([]Result, len(r.lanes))
	for i, l := range r.lanes {
		counted[i], l.dry = l.result, true
	}
	r.drive(start, r.end+drain)
	for i, l := range r.lanes {
		l.result = counted[i]
	}
}

// drive goes on until the time, the count or the packets end.
func (r *run) drive(start time.Time, until time.Duration) {
	for {
		now := time.Since(start)
		if now >= until || r.done() || r.ctx.Err() != nil {
			return
		}
		idle := true
		for _, l := range r.lanes {
			if l.step(now) {
				idle = false
			}
		}
		if idle {
			_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0) // whoever shares the processor may run
		}
	}
}

// done tells that nothing is outstanding and nothing is to come, or that
// enough has been counted.
func (r *run) done() bool {
	if first := &r.lanes[0].result; r.plan.Count > 0 && !r.lanes[0].dry && first.Good+first.Wrong >= r.plan.Count {
		return true
	}
	for _, l := range r.lanes {
		if !l.dry || l.outstanding > 0 {
			return false
		}
	}
	return true
}
