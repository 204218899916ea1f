package anycast

import (
	"io"
	"sync"
	"time"
)

// maxLines is how many lines wait for a reader.
const maxLines = 1024

// Lines is a writer of lines that never makes its caller wait: they go through a
// queue to a goroutine of its own. If the reader is so slow that the queue is full,
// the oldest line is dropped, and a line says how many were. What fails to be
// written is gone, and so is all that comes after.
type Lines struct {
	w    io.Writer
	lost func(n int) string
	wake chan struct{}
	done chan struct{}

	mu      sync.Mutex
	queue   []string
	dropped int
	closed  bool
}

// NewLines starts to write to w. lost makes the line, without its end, that says how
// many lines were dropped.
func NewLines(w io.Writer, lost func(n int) string) *Lines {
	l := &Lines{w: w, lost: lost, wake: make(chan struct{}, 1), done: make(chan struct{})}
	go l.run()
	return l
}

// Write takes one line with its end. It never fails.
func (l *Lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return len(line), nil
	}
	if len(l.queue) == maxLines {
		l.queue = append(l.queue[:0], l.queue[1:]...)
		l.dropped++
	}
	l.queue = append(l.queue, string(line))
	l.signal()
	return len(line), nil
}

// Close waits until all lines are written, at most so long. Those that come later
// are dropped.
func (l *Lines) Close(within time.Duration) {
	l.mu.Lock()
	l.closed = true
	l.signal()
	l.mu.Unlock()
	select {
	case <-l.done:
	case <-time.After(within):
	}
}

func (l *Lines) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run writes until it is closed and nothing is left, or until it cannot.
func (l *Lines) run() {
	defer close(l.done)
	for {
		lines, dropped, closed := l.take()
		if dropped > 0 {
			lines = append([]string{l.lost(dropped) + "\n"}, lines...)
		}
		for _, line := range lines {
			if _, err := io.WriteString(l.w, line); err != nil {
				l.mu.Lock()
				l.closed, l.queue = true, nil
				l.mu.Unlock()
				return
			}
		}
		switch {
		case len(lines) > 0:
		case closed:
			return
		default:
			<-l.wake
		}
	}
}

// take takes a few lines: they are still to be dropped while they wait.
func (l *Lines) take() (lines []string, dropped int, closed bool) {
	const few = 16
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(few, len(l.queue))
	lines = append(lines, l.queue[:n]...)
	l.queue = append(l.queue[:0], l.queue[n:]...)
	dropped, l.dropped = l.dropped, 0
	return lines, dropped, l.closed
}
