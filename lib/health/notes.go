package health

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
)

// keptNotes is how many events the page shows.
const keptNotes = 200

// A note is one thing that happened, for people.
type note struct {
	At    time.Time
	Alarm bool // somebody has to come
	Warn  bool // not as it should be
	About string
	Text  string
}

// notes are the last things that happened. Each is logged as well.
type notes struct {
	log  *slog.Logger
	mu   sync.Mutex
	list []note            // the oldest first
	last map[string]string // the text of the last note about something
}

func newNotes(log *slog.Logger) *notes { return &notes{log: log, last: map[string]string{}} }

// add keeps and logs a note.
func (n *notes) add(x note) {
	x.At, x.Text = time.Now(), printable(x.Text)
	n.mu.Lock()
	if len(n.list) == keptNotes {
		n.list = n.list[1:]
	}
	n.list = append(n.list, x)
	n.last[x.About] = x.Text
	n.mu.Unlock()
	level := slog.LevelInfo
	switch {
	case x.Alarm:
		level = slog.LevelError
	case x.Warn:
		level = slog.LevelWarn
	}
	n.log.Log(context.Background(), level, x.Text, "about", x.About)
}

// addOnce is add for what is repeated: it is left out if it is the last thing
// that was said about the same.
func (n *notes) addOnce(x note) {
	n.mu.Lock()
	same := n.last[x.About] == printable(x.Text)
	n.mu.Unlock()
	if !same {
		n.add(x)
	}
}

// newest gives all notes, the newest first.
func (n *notes) newest() []note {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := make([]note, 0, len(n.list))
	for i := len(n.list) - 1; i >= 0; i-- {
		list = append(list, n.list[i])
	}
	return list
}

// printable makes one line of a text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// maxWhy is how much of a reason goes along in a route line, in octets.
const maxWhy = 300

// short makes a reason fit for a route line.
func short(s string) string {
	s = printable(s)
	if len(s) > maxWhy {
		s = strings.ToValidUTF8(s[:maxWhy], "") + "..."
	}
	return s
}

// plain is what the system says went wrong, without the call that it went wrong in.
func plain(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return cmp.Or(err.Error(), "unknown")
}
