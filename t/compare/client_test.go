package compare

import (
	"errors"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A client asks one server.
type client struct {
	t    *testing.T
	name string
	addr string
	udp  *dns.Conn
	tcp  *dns.Conn
	id   uint16
}

func dial(t *testing.T, name, addr string) *client {
	t.Helper()
	u, err := dns.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	u.UDPSize = dns.MaxMsgSize
	c := &client{t: t, name: name, addr: addr, udp: u}
	t.Cleanup(c.close)
	return c
}

func (c *client) close() {
	c.udp.Close()
	if c.tcp != nil {
		c.tcp.Close()
	}
}

// patience is how long a client waits for an answer before it asks again.
const patience = 2 * time.Second

// ask sends a question and returns the answer; the test fails without one.
func (c *client) ask(q question) *dns.Msg {
	c.t.Helper()
	var err error
	for range 3 {
		var r *dns.Msg
		if r, err = c.try(q); err == nil {
			return r
		}
		if c.tcp != nil { // a server may close a connection at any time
			c.tcp.Close()
			c.tcp = nil
		}
	}
	c.t.Fatalf("ask %s %s: %v", c.name, q, err)
	return nil
}

func (c *client) try(q question) (*dns.Msg, error) {
	conn := c.udp
	if q.tcp {
		if c.tcp == nil {
			var err error
			if c.tcp, err = dns.Dial("tcp", c.addr); err != nil {
				return nil, err
			}
		}
		conn = c.tcp
	}
	c.id++
	conn.SetDeadline(time.Now().Add(patience))
	// Octets, not messages: the library would want to know every TSIG key.
	packed, err := q.message(c.id).Pack()
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(packed); err != nil {
		return nil, err
	}
	for in := make([]byte, dns.MaxMsgSize); ; {
		n, err := conn.Read(in)
		if err != nil {
			return nil, err
		}
		r := new(dns.Msg)
		if err := r.Unpack(in[:n]); err != nil {
			return nil, err
		}
		if r.Id == c.id {
			return r, nil
		}
	}
}

// raw sends octets over UDP and returns the response code, -1 for silence.
func (c *client) raw(packet []byte) int {
	c.t.Helper()
	conn, err := net.Dial("udp", c.addr)
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(150 * time.Millisecond))
	if _, err := conn.Write(packet); err != nil {
		c.t.Fatal(err)
	}
	in := make([]byte, dns.MaxMsgSize)
	n, err := conn.Read(in)
	if errors.Is(err, os.ErrDeadlineExceeded) || err == nil && n < 12 {
		return -1
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return int(in[3] & 0x0f)
}

// seedOf is the seed of the run.
func seedOf(t *testing.T) uint64 {
	text := os.Getenv("NAMECAST_SEED")
	if text == "" {
		return seed
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("NAMECAST_SEED: %v", err)
	}
	return n
}
