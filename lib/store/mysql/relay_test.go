package mysql

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// A relay stands between a store and its server, and can lose what the server says.
type relay struct {
	path, to string
	l        net.Listener
	work     sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]bool
	away  bool // no connection is made

	// lose is how many of the answers to COMMIT are still to be lost: the connection
	// ends instead.
	lose atomic.Int64
	lost atomic.Int64
}

func newRelay(t *testing.T, to string) *relay {
	t.Helper()
	r := &relay{path: filepath.Join(t.TempDir(), "r"), to: to, conns: map[net.Conn]bool{}}
	var err error
	if r.l, err = net.Listen("unix", r.path); err != nil {
		t.Fatal(err)
	}
	r.work.Go(r.accept)
	t.Cleanup(func() {
		r.l.Close()
		r.cut()
		r.work.Wait()
	})
	return r
}

func (r *relay) accept() {
	for {
		c, err := r.l.Accept()
		if err != nil {
			return
		}
		s, err := net.Dial("unix", r.to)
		r.mu.Lock()
		if err != nil || r.away {
			r.mu.Unlock()
			c.Close()
			if err == nil {
				s.Close()
			}
			continue
		}
		r.conns[c], r.conns[s] = true, true
		r.mu.Unlock()
		var committing atomic.Bool
		r.work.Go(func() {
			r.pump(s, c, func(b []byte) bool { committing.Store(bytes.HasSuffix(b, []byte("\x03COMMIT"))); return true })
		})
		r.work.Go(func() {
			r.pump(c, s, func([]byte) bool {
				if !committing.Load() || r.lose.Add(-1) < 0 {
					return true
				}
				r.lost.Add(1)
				return false
			})
		})
	}
}

// pump copies from one to the other as long as pass says so.
func (r *relay) pump(to, from net.Conn, pass func([]byte) bool) {
	defer r.end(to, from)
	b := make([]byte, 1<<20)
	for {
		n, err := from.Read(b)
		if n > 0 && !pass(b[:n]) {
			return
		}
		if _, bad := to.Write(b[:n]); bad != nil || err != nil && err != io.EOF || err == io.EOF {
			return
		}
	}
}

func (r *relay) end(conns ...net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range conns {
		c.Close()
		delete(r.conns, c)
	}
}

// count is how many connections there are.
func (r *relay) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns) / 2
}

// cut ends all connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.Close()
	}
}

// setAway has no connection be made, and ends those that there are, or all be well.
func (r *relay) setAway(away bool) {
	r.mu.Lock()
	r.away = away
	r.mu.Unlock()
	if away {
		r.cut()
	}
}
