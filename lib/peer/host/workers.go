package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"namecast/lib/peer"
	"namecast/lib/peer/packet"
	"namecast/lib/resolve/iterate"
	"namecast/lib/resolve/upstream"
	"namecast/lib/resolve/validate"
)

// How much is under way at a time.
const (
	maxFetches   = 512
	maxIterates  = 64
	maxValidates = 64
	// validateTime is for a validation, with the keys that it has to ask for. The Node
	// waits a little longer.
	validateTime = 1800 * time.Millisecond
)

// Workers ask servers, iterate and validate, each in a goroutine that ends with its
// task. The fields are set before the first task; servers belongs to the loop.
type workers struct {
	ctx       context.Context
	servers   []*upstream.Client
	iterator  *iterate.Resolver   // nil: not from the root
	validator *validate.Validator // nil: nothing is validated
	log       *notes
	results   chan<- peer.Event

	all       sync.WaitGroup
	fetches   chan struct{}
	iterates  chan struct{}
	validates chan struct{}
}

// newWorkers makes workers whose tasks end with ctx.
func newWorkers(ctx context.Context, results chan<- peer.Event, log *notes) *workers {
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
		if ev == nil {
			return
		}
		select {
		case w.results <- ev:
		case <-w.ctx.Done():
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
		state, bogus := w.judge(f.Question, msg, f.Probe)
		return peer.Fetched{Req: f.Req, Msg: optLast(msg), State: state, Bogus: bogus}
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
		if err != nil {
			return peer.Iterated{Req: f.Req, Failure: peer.Timeout}
		}
		state, bogus := w.judge(f.Question, msg, false)
		return peer.Iterated{Req: f.Req, Msg: withOPT(msg, q.DO), State: state, Bogus: bogus}
	})
	if !ok {
		return peer.Iterated{Req: f.Req, Failure: peer.Unreachable}
	}
	return nil
}

// validate gives the own opinion of a response.
func (w *workers) validate(v peer.Validate) peer.Event {
	ok := w.work(w.validates, func() peer.Event {
		state, bogus := w.judge(v.Question, v.Msg, false)
		return peer.Validated{Req: v.Req, State: state, Bogus: bogus}
	})
	if !ok {
		return peer.Validated{Req: v.Req}
	}
	return nil
}

// judge validates a response, if this machine validates. What a client asked for
// unchecked stays unknown, as do the validator's own questions, which are of that kind.
func (w *workers) judge(q peer.Question, msg []byte, probe bool) (packet.State, bool) {
	if w.validator == nil || q.CD || probe {
		return packet.Unknown, false
	}
	ctx, cancel := context.WithTimeout(w.ctx, validateTime)
	defer cancel()
	state, err := w.validator.Validate(ctx, validate.Question{Name: q.Name, Type: q.Type}, msg)
	switch state {
	case validate.Secure:
		return packet.Secure, false
	case validate.Insecure:
		return packet.Insecure, false
	}
	// What could not be judged is refused as well, or whoever keeps the keys from us
	// could have us believe anything.
	w.log.once("validation", fmt.Sprintf("%v: %v", state, err))
	return packet.Unknown, true
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
