package health

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

// queuedLines is how many lines wait for a slow reader of the log.
const queuedLines = 256

// Lines is a writer of a log whose reader may be slow, gone, or on a full disk:
// who writes never waits and never fails. Lines for which there is no room are
// counted, and their number is written when there is again.
type Lines struct {
	queue chan []byte
	done  chan struct{}
	mu    sync.Mutex
	lost  int
	ended bool
}

// NewLines writes to w by a goroutine of its own, which Close ends.
func NewLines(w io.Writer) *Lines {
	l := &Lines{queue: make(chan []byte, queuedLines), done: make(chan struct{})}
	go func() {
		defer close(l.done)
		for line := range l.queue {
			w.Write(line) // there is nobody to tell of an error
		}
	}()
	return l
}

// Write implements io.Writer for one line at a time. It never fails.
func (l *Lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return len(line), nil
	}
	if l.lost > 0 && l.offer(fmt.Appendf(nil, "%d lines of the log were lost: nobody read them in time\n", l.lost)) {
		l.lost = 0
	}
	if l.lost > 0 || !l.offer(bytes.Clone(line)) {
		l.lost++
	}
	return len(line), nil
}

func (l *Lines) offer(line []byte) bool {
	select {
	case l.queue <- line:
		return true
	default:
		return false
	}
}

// Close writes what is left, for no longer than a limit. What comes later is not
// written.
func (l *Lines) Close(limit time.Duration) {
	l.mu.Lock()
	if !l.ended {
		l.ended = true
		close(l.queue)
	}
	l.mu.Unlock()
	select {
	case <-l.done:
	case <-time.After(limit):
	}
}
