package link

import (
	"bufio"
	"crypto/tls"
	"net"
	"sync"
)

// readAhead is how much a wire reads at once, octets: some records of TLS.
const readAhead = 32 << 10

// A wire is a connection below TLS, which reads and writes a record at a time, of
// at most 16 KiB. A wire reads several with one call, and while it is corked keeps
// what is written until all of it goes with one call.
type wire struct {
	net.Conn
	ahead *bufio.Reader

	mu     sync.Mutex // TLS may write an alert while records are written
	corked bool
	held   []byte
}

func newWire(c net.Conn) *wire { return &wire{Conn: c, ahead: bufio.NewReaderSize(c, readAhead)} }

func (w *wire) Read(b []byte) (int, error) { return w.ahead.Read(b) }

func (w *wire) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.corked {
		return w.Conn.Write(b)
	}
	w.held = append(w.held, b...)
	return len(b), nil
}

func (w *wire) cork() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.corked = true
}

// uncork writes what was held.
func (w *wire) uncork() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.Conn.Write(w.held)
	w.corked, w.held = false, w.held[:0]
	return err
}

// writeAll writes octets to a connection, with one call to the system where it is
// TLS over a wire.
func writeAll(c net.Conn, b []byte) (int, error) {
	var w *wire
	if t, ok := c.(*tls.Conn); ok {
		w, _ = t.NetConn().(*wire)
	}
	if w == nil {
		return c.Write(b)
	}
	w.cork()
	n, err := c.Write(b)
	if e := w.uncork(); err == nil {
		err = e
	}
	return n, err
}
