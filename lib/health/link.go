package health

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"namecast/lib/clock"
	"namecast/lib/route"
	"namecast/lib/watch"
)

// A writer takes route lines: nc-bgp's socket, or standard output.
type writer interface {
	io.WriteCloser
	SetWriteDeadline(time.Time) error
}

// A link is the way to nc-bgp and what came back on it. All but established is the
// loop's own.
type link struct {
	to     writer        // nil while there is none
	once   bool          // there is no other when this one fails
	beat   time.Duration // after which silence is noticed at the other end
	failed error         // of the only writer there is
	notes  *notes

	// established is how many sessions are, -1 while nothing is known.
	established atomic.Int64
	answered    atomic.Int64 // when something came last, in Unix nanoseconds
	sessions    map[netip.Addr]route.Condition
	bfd         map[netip.Addr]route.Condition
	routes      map[netip.Prefix]route.State
	refused     string // what nc-bgp refused last
}

func newLink(n *notes, beat time.Duration) *link {
	l := &link{notes: n, beat: beat}
	l.forget()
	return l
}

// forget drops what was known of nc-bgp.
func (l *link) forget() {
	l.established.Store(-1)
	l.sessions, l.bfd = map[netip.Addr]route.Condition{}, map[netip.Addr]route.Condition{}
	l.routes = map[netip.Prefix]route.State{}
	l.refused = ""
}

// open begins to use a writer: first goes how soon silence is to be noticed, then
// all wishes.
func (l *link) open(to writer, wishes []route.Command) {
	l.to = to
	l.forget()
	first := []route.Command{{Verb: route.Beat, Beat: l.beat}}
	if !l.once {
		first = append(first, route.Command{Verb: route.Status})
	}
	l.write(append(first, wishes...))
}

// write writes lines in one piece, and waits no longer than writeLimit. A writer
// that fails is closed: at the other end everything is withdrawn then.
func (l *link) write(lines []route.Command) {
	if l.to == nil || len(lines) == 0 {
		return
	}
	var b strings.Builder
	for _, c := range lines {
		b.WriteString(c.String())
		b.WriteByte('\n')
	}
	l.to.SetWriteDeadline(time.Now().Add(writeLimit)) // a file has none, and needs none
	_, err := io.WriteString(l.to, b.String())
	if err == nil {
		return
	}
	l.notes.add(note{Alarm: true, About: "nc-bgp", Text: "does not take route lines: " + plain(err)})
	l.to.Close()
	l.to = nil
	if l.once {
		l.failed = err
	}
}

// close ends the use of a writer, unless another has taken its place.
func (l *link) close(to writer, why error) {
	if l.to == to {
		l.to = nil
	}
	l.forget()
	l.notes.add(note{Alarm: true, About: "nc-bgp", Text: "the connection ended, everything is withdrawn there: " + plain(why)})
}

// hear takes a state, and gives the event that it is for the Watch, or nil.
func (l *link) hear(s route.State, now time.Time) watch.Event {
	switch s.Kind {
	case route.Error:
		if l.refused != s.Text {
			l.refused = s.Text
			l.notes.add(note{Alarm: true, About: "nc-bgp", Text: "refuses: " + s.Text})
		}
	case route.Peer:
		if l.sessions[s.Addr] != s.Is && (s.Is == route.Established || l.sessions[s.Addr] == route.Established) {
			l.notes.add(note{Warn: s.Is != route.Established, About: "neighbour " + s.Addr.String(), Text: "session " + string(s.Is)})
		}
		l.sessions[s.Addr] = s.Is
		l.count()
	case route.BFD:
		if l.bfd[s.Addr] != s.Is {
			l.notes.add(note{Warn: s.Is != route.Up, About: "neighbour " + s.Addr.String(), Text: "BFD " + string(s.Is)})
		}
		l.bfd[s.Addr] = s.Is
	case route.Route:
		l.routes[s.Prefix] = s
	case route.Order:
		if s.Is == route.Withdrawn {
			return watch.Ordered{Prefix: s.Prefix, For: max(0, s.Until.Sub(now)), By: s.By}
		}
		return watch.OrderEnded{Prefix: s.Prefix}
	case route.Lost:
		l.notes.add(note{Warn: true, About: "nc-bgp", Text: fmt.Sprintf("dropped %d states that were not read", s.N)})
	case route.BeatLost:
		l.notes.add(note{Alarm: true, About: "nc-bgp", Text: "did not hear this watcher and withdrew everything"})
	}
	return nil
}

// reaches tells whether nc-bgp has a prefix announced to a neighbour, as far as that
// can be known from here.
func (l *link) reaches(p netip.Prefix) bool {
	s := l.routes[p]
	return l.once || s.Out > 0 && (s.Is == route.Announced || s.Is == route.Drained)
}

// count counts the sessions that are established.
func (l *link) count() {
	n := 0
	for _, is := range maps.All(l.sessions) {
		if is == route.Established {
			n++
		}
	}
	l.established.Store(int64(n))
}

// look is the probe of nc-bgp's sessions.
func (l *link) look(least int) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		n, silent := l.established.Load(), time.Since(time.Unix(0, l.answered.Load()))
		switch {
		case n < 0:
			return "", errors.New("no word from nc-bgp")
		case silent > l.beat:
			return "", fmt.Errorf("nc-bgp has not answered for %v", silent.Round(time.Second/10))
		case n < int64(least):
			return "", fmt.Errorf("%d sessions are established, not %d", n, least)
		}
		return fmt.Sprintf("%d sessions are established", n), nil
	}
}

// redial is how long after a connection to nc-bgp has failed the next is tried.
const redial = 100 * time.Millisecond

// keepLink keeps a connection to nc-bgp's socket until ctx ends.
func (d *daemon) keepLink(ctx context.Context) {
	for told := ""; ctx.Err() == nil; clock.Sleep(ctx, redial) {
		c, err := new(net.Dialer).DialContext(ctx, "unix", d.Route)
		if err != nil {
			if text := plain(err); text != told && ctx.Err() == nil {
				told = text
				d.notes.add(note{Alarm: true, About: "nc-bgp", Text: fmt.Sprintf("%s: %s; trying on", d.Route, text)})
			}
			continue
		}
		told = ""
		d.notes.add(note{About: "nc-bgp", Text: "connected"})
		stop := context.AfterFunc(ctx, func() { c.Close() })
		if d.loop.call(ctx, func() { d.link.open(c.(writer), d.loop.wishes) }) == nil {
			err = d.readStates(ctx, c)
			d.loop.call(ctx, func() { d.link.close(c.(writer), err) })
		}
		stop()
		c.Close()
	}
}

// readStates brings the loop what nc-bgp says, until that ends.
func (d *daemon) readStates(ctx context.Context, r io.Reader) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 0, route.MaxLine+2), route.MaxLine+2)
	for s.Scan() {
		state, err := route.ParseState(s.Text())
		if err != nil {
			return err
		}
		d.link.answered.Store(time.Now().UnixNano())
		if state.Kind == route.OK {
			continue
		}
		err = d.loop.call(ctx, func() {
			if ev := d.link.hear(state, time.Now()); ev != nil {
				d.loop.step(ev)
			}
		})
		if err != nil {
			return err
		}
	}
	if s.Err() != nil {
		return s.Err()
	}
	return io.EOF
}

// openOutput gives a file a deadline where it can have one: a pipe is opened anew,
// so that others who have it see no difference.
func openOutput(f *os.File) (writer, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("standard output: %w", err)
	}
	switch {
	case info.Mode()&os.ModeSocket != 0:
		c, err := net.FileConn(f)
		if err != nil {
			return nil, fmt.Errorf("standard output: %w", err)
		}
		return c.(writer), nil
	case info.Mode()&(os.ModeNamedPipe|os.ModeCharDevice) == 0:
		return f, nil
	}
	again, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), os.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err == nil {
		f.Close() // else the reader would not see the end of what is written
		return again, nil
	}
	// A pipe of another user cannot be opened, but can be changed.
	if err := unix.SetNonblock(int(f.Fd()), true); err != nil {
		return nil, fmt.Errorf("standard output: %w", err)
	}
	return os.NewFile(f.Fd(), f.Name()), nil
}

// A session is one with a neighbour, as nc-bgp tells.
type session struct {
	Addr    netip.Addr
	Is, BFD route.Condition
}

// all gives the sessions in the order of their addresses.
func (l *link) all() (list []session) {
	for _, a := range slices.SortedFunc(maps.Keys(l.sessions), netip.Addr.Compare) {
		list = append(list, session{a, l.sessions[a], l.bfd[a]})
	}
	return list
}
