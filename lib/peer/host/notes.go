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
	sayAgain  = 5 * time.Minute  // after which the same is said again
	sayRarely = 10 * time.Second // between things that are another each time
	maxNotes  = 100              // that are remembered
)

func newNotes(l *slog.Logger) *notes { return &notes{Logger: l, said: map[string]note{}} }

// once says something that may happen again and again.
func (n *notes) once(about, text string) {
	n.say(about, text, func(last note, age time.Duration) bool { return last.text != text || age >= sayAgain })
}

// rarely says something that is another each time.
func (n *notes) rarely(about, text string) {
	n.say(about, text, func(_ note, age time.Duration) bool { return age >= sayRarely })
}

// say says something unless it is too early after what was last said of the same.
func (n *notes) say(about, text string, due func(last note, age time.Duration) bool) {
	n.mu.Lock()
	last, now := n.said[about], time.Now()
	again := !due(last, now.Sub(last.at))
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
