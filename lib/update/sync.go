package update

import (
	"context"
	"slices"

	"namecast/lib/nup"
)

// A syncedStore is a store of a service with several nodes. InSync waits until all
// of them have the account as this one has it.
type syncedStore interface {
	InSync(ctx context.Context, account string) error
}

// asksSync reports whether a task that has ended is to be answered when every
// node has what its request made: one that took effect, now or before.
func (t *task) asksSync() bool {
	switch r := t.reply; {
	case t.wait == 0 || r == nil || t.req == nil || len(t.req.Elements) == 0:
		return false
	case r.Status == nup.StatusWrongSequence:
		return t.head.Version > 0 && t.req.Seq < t.head.NextSeq
	default:
		return r.Status == nup.StatusOK
	}
}

// sync waits for the other nodes and says in the task's reply what came of it.
func (s *Server) sync(ctx context.Context, t *task) {
	others, ok := s.Store.(syncedStore)
	if !ok {
		t.reply.Sync = nup.InSync // there are none
		return
	}
	account := t.reply.Account
	if account == "" {
		account = t.head.Account
	}
	ctx, cancel := context.WithTimeout(ctx, t.wait)
	defer cancel()
	t.reply.Sync = nup.InSync
	if err := others.InSync(ctx, account); err != nil {
		t.reply.Sync = nup.Behind
	}
}

// spawnSync has a task wait for the other nodes out of the worker's way; false if
// too many wait.
func (w *worker) spawnSync(i int) bool {
	select {
	case w.waiting <- struct{}{}:
	default:
		w.Count.Overload.Add(1)
		return false
	}
	t, back := w.tasks[i], w.batch.Back(w.numbers[i])
	t.packet = slices.Clone(t.packet) // its buffer is the next one's
	r := *t.reply
	r.Key = slices.Clone(r.Key)
	t.reply = &r
	w.work.Go(func() {
		defer func() { <-w.waiting }()
		w.sync(w.until, &t)
		w.replyTo(&t, &back)
	})
	return true
}
