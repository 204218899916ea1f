package host

import (
	"log/slog"
	"sync"
	"time"
)

// A notes is the log, in which what goes on for long stands once in a while.
type notes struct {
	*slog.Logger
	mu   sync.Mutex
	said map[string]note
}

// A note is what was last said about something.
type note struct {
	text string
	at   time.Time
}

const (
	sayAgain = 5 * time.Minute // after which the same is said again
	maxNotes = 100             // that are remembered
)

func newNotes(l *slog.Logger) *notes { return &notes{Logger: l, said: map[string]note{}} }

// once says something that may happen again and again.
func (n *notes) once(about, text string) {
	n.mu.Lock()
	last, now := n.said[about], time.Now()
	again := last.text == text && now.Sub(last.at) < sayAgain
	if !again {
		if len(n.said) >= maxNotes {
			clear(n.said)
		}
		n.said[about] = note{text, now}
	}
	n.mu.Unlock()
	if !again {
		n.Warn(about, "what", text)
	}
}
