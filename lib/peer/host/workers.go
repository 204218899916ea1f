package host

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"namecast/lib/clock"
	"namecast/lib/peer"
	"namecast/lib/peer/keep"
	"namecast/lib/peer/packet"
	"namecast/lib/resolve/iterate"
	"namecast/lib/resolve/upstream"
)

// How much is under way at a time.
const (
	maxFetches   = 512
	maxIterates  = 64
	maxValidates = 512 // what is too much is refused, so that they are not scarce
	// validateTime is for a validation, with the keys that it has to ask for. The Node
	// waits a little longer.
	validateTime = 1800 * time.Millisecond
)

// Workers ask servers, iterate and validate, each in a goroutine that ends with its
// task. The fields are set before the first task; servers belongs to the loop.
type workers struct {
	ctx       context.Context
	servers   []*upstream.Client
	iterator  *iterate.Resolver // nil: not from the root
	validator *validator        // nil: nothing is validated
	log       *notes
	results   func(peer.Event) // takes what came of a task

	all       sync.WaitGroup
	fetches   chan struct{}
	iterates  chan struct{}
	validates chan struct{}
}

// newWorkers makes workers whose tasks end with ctx.
func newWorkers(ctx context.Context, results func(peer.Event), log *notes) *workers {
	return &workers{
		ctx: ctx, results: results, log: log,
		fetches: make(chan struct{}, maxFetches), iterates: make(chan struct{}, maxIterates),
		validates: make(chan struct{}, maxValidates),
	}
}

// work runs a task, unless there are too many of its kind. A task that ends with nil has
// nothing to tell.
func (w *workers) work(slots chan struct{}, task func() peer.Event) bool {
	select {
	case slots <- struct{}{}:
	default:
		return false
	}
	w.all.Go(func() {
		ev := task()
		<-slots
		if ev != nil {
			w.results(ev)
		}
	})
	return true
}

// fetch asks a server. It returns the event that happens instead, if it cannot.
func (w *workers) fetch(f peer.Fetch) peer.Event {
	if f.Server < 0 || f.Server >= len(w.servers) {
		return peer.Fetched{Req: f.Req, Failure: peer.Unreachable}
	}
	server := w.servers[f.Server]
	ok := w.work(w.fetches, func() peer.Event {
		ctx, cancel := context.WithTimeout(w.ctx, f.Within)
		defer cancel()
		msg, err := server.Exchange(ctx, question(f.Question, w.validator != nil))
		if errors.Is(err, upstream.ErrClosed) || errors.Is(err, context.Canceled) {
			return nil // another network, or the end: the Node does not wait for it
		}
		if err != nil {
			return peer.Fetched{Req: f.Req, Failure: failure(err)}
		}
		ev := peer.Fetched{Req: f.Req, Msg: optLast(msg)}
		if w.validator != nil {
			ev.Unsigned = w.validator.unsigned(server.Server(), f.Question, msg)
		}
		if !f.Probe {
			ev.Verdict, ev.Judging = w.judge(f.Question, msg)
			ev.Msg = proven(ev.Msg, ev.State)
		}
		return ev
	})
	if !ok {
		return peer.Fetched{Req: f.Req, Failure: peer.Timeout}
	}
	return nil
}

// iterate asks from the root on.
func (w *workers) iterate(f peer.Iterate) peer.Event {
	ok := w.iterator != nil && w.work(w.iterates, func() peer.Event {
		ctx, cancel := context.WithTimeout(w.ctx, f.Within)
		defer cancel()
		q := iterate.Question{Name: f.Name, Type: f.Type, DO: f.DO || w.validator != nil}
		msg, err := w.iterator.Resolve(ctx, q)
		switch {
		case errors.Is(err, iterate.ErrSilent):
			w.log.once("iteration", err.Error())
			return peer.Iterated{Req: f.Req, Failure: peer.Unreachable}
		case err != nil:
			return peer.Iterated{Req: f.Req, Failure: peer.Timeout}
		}
		verdict, _ := w.judge(f.Question, msg)
		return peer.Iterated{Req: f.Req, Msg: proven(withOPT(msg, q.DO), verdict.State), Verdict: verdict}
	})
	if !ok {
		return peer.Iterated{Req: f.Req, Failure: peer.Timeout}
	}
	return nil
}

// validate gives the own opinion of a response.
func (w *workers) validate(v peer.Validate) peer.Event {
	ok := w.work(w.validates, func() peer.Event {
		verdict, _ := w.judge(v.Question, v.Msg)
		return peer.Validated{Req: v.Req, Verdict: verdict}
	})
	if !ok {
		return peer.Validated{Req: v.Req, Verdict: peer.Verdict{Bogus: true, Doubt: true, Text: "too many at a time"}}
	}
	return nil
}

// judge validates a response, if this machine validates, and says how long that took. What
// a client asked for unchecked stays unknown, as do the validator's own questions, which
// are of that kind. In the error of a server there is nothing to validate.
func (w *workers) judge(q peer.Question, msg []byte) (peer.Verdict, time.Duration) {
	if w.validator == nil || q.CD || len(msg) < headerSize {
		return peer.Verdict{}, 0
	}
	if code := msg[3] & 0xf; code != rcodeNone && code != rcodeNXDomain {
		return peer.Verdict{}, 0
	}
	ctx, cancel := context.WithTimeout(w.ctx, validateTime)
	defer cancel()
	began := clock.Boot()
	v := w.validator.judge(ctx, q, msg)
	return v, clock.Boot() - began
}

// proven gives a response without what its validation did not look at, if it is secure:
// all that comes with the AD bit has to be (RFC 4035 section 3.2.3).
func proven(msg []byte, state packet.State) []byte {
	if state != packet.Secure {
		return msg
	}
	b, err := keep.Trim(msg)
	if err != nil {
		return msg
	}
	return b
}

// failure says what an error of a server means.
func failure(err error) peer.Failure {
	if errors.Is(err, upstream.ErrUnreachable) {
		return peer.Unreachable
	}
	return peer.Timeout
}

// question makes the query for a server, with EDNS. A server is told not to check what
// this machine checks itself.
func question(q peer.Question, validates bool) []byte {
	flags := uint16(flagRD)
	if q.CD || validates {
		flags |= flagCD
	}
	b := make([]byte, headerSize, headerSize+len(q.Name)+5+bareOPT)
	binary.BigEndian.PutUint16(b[2:], flags)
	b[5], b[11] = 1, 1
	b = append(append(b, q.Name...), 0)
	b = binary.BigEndian.AppendUint16(b, q.Type)
	b = binary.BigEndian.AppendUint16(b, classIN)
	return appendBareOPT(b, q.DO || validates)
}

// appendBareOPT adds an OPT record without options.
func appendBareOPT(b []byte, do bool) []byte {
	b = append(b, 0, 0, typeOPT)
	b = binary.BigEndian.AppendUint16(b, ednsSize)
	ttl := uint32(0)
	if do {
		ttl = 1 << 15
	}
	b = binary.BigEndian.AppendUint32(b, ttl)
	return append(b, 0, 0)
}

// withOPT gives a response an OPT record, from which others see whether it has
// signatures.
func withOPT(msg []byte, do bool) []byte {
	if opt, ok := lastOPT(msg); !ok || opt.typ == typeOPT {
		return msg
	}
	b := appendBareOPT(append(make([]byte, 0, len(msg)+bareOPT), msg...), do)
	binary.BigEndian.PutUint16(b[10:], binary.BigEndian.Uint16(b[10:])+1)
	return b
}
