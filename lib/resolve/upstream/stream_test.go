package upstream

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// overTLS runs a server with a certificate for dns.example and 127.0.0.1, and makes
// its client.
func overTLS(t *testing.T, o Options, handle func(net.Conn, int)) (*Client, *streamServer) {
	t.Helper()
	cert, roots := authority(t, []string{"dns.example"}, net.IP{127, 0, 0, 1})
	l := tls.NewListener(listen(t, loopback), &tls.Config{Certificates: []tls.Certificate{cert}})
	s := onStream(t, l, handle)
	o.Roots = roots
	return client(t, Server{Proto: TLS, Addr: s.at, Name: "dns.example"}, o), s
}

// TestPipelining checks that many queries share a connection, and that their
// replies may come in another order.
func TestPipelining(t *testing.T) {
	const count = 50
	c, s := overTLS(t, Options{}, func(conn net.Conn, _ int) {
		var queries [][]byte
		for len(queries) < count {
			queries = append(queries, next(conn))
		}
		for i := range queries {
			reply(conn, answer(t, queries[len(queries)-1-i], 60))
		}
		next(conn)
	})
	var asking sync.WaitGroup
	for i := range count {
		asking.Go(func() {
			name := fmt.Sprintf("n%d.example.", i)
			b, err := c.Exchange(within(t, patience), ask(t, name, dns.TypeA))
			m := new(dns.Msg)
			if err != nil || m.Unpack(b) != nil || m.Answer[0].Header().Name != name {
				t.Errorf("%s: %v, %v", name, m, err)
			}
		})
	}
	asking.Wait()
	if s.count() != 1 {
		t.Errorf("%d connections", s.count())
	}
}

// TestClosing checks that servers that close their connections, after each reply
// or when they like, are asked again on another one.
func TestClosing(t *testing.T) {
	c, s := overTLS(t, Options{}, func(conn net.Conn, _ int) { reply(conn, answer(t, next(conn), 60)) })
	for range 10 {
		exchange(t, c)
	}
	if n := s.count(); n != 10 {
		t.Errorf("%d connections for 10 queries", n)
	}
}

// TestClosesAtOnce checks that a server that never answers is not asked for ever.
func TestClosesAtOnce(t *testing.T) {
	c, s := overTLS(t, Options{}, func(conn net.Conn, _ int) { next(conn) })
	_, err := c.Exchange(within(t, patience), ask(t, "www.example.", dns.TypeA))
	if !errors.Is(err, ErrUnreachable) || s.count() > tries {
		t.Errorf("%v after %d connections", err, s.count())
	}
}

// TestDead checks that a connection that has died in silence is replaced within the
// first query's time.
func TestDead(t *testing.T) {
	c, s := overTLS(t, Options{}, func(conn net.Conn, number int) {
		if number > 1 {
			echo(t)(conn, number)
			return
		}
		reply(conn, answer(t, next(conn), 60))
		for next(conn) != nil {
		}
	})
	exchange(t, c)
	c.mu.Lock()
	conn := c.conn
	c.mu.Unlock()
	conn.mu.Lock()
	conn.last = time.Now().Add(-2 * fresh)
	conn.mu.Unlock()
	if _, err := c.Exchange(within(t, 2*time.Second), ask(t, "www.example.", dns.TypeA)); err != nil || s.count() != 2 {
		t.Errorf("%v, %d connections", err, s.count())
	}
}

// TestSilent checks that after a query without an answer the next one gets a new
// connection.
func TestSilent(t *testing.T) {
	c, s := overTLS(t, Options{}, func(conn net.Conn, number int) {
		if number > 1 {
			echo(t)(conn, number)
			return
		}
		for next(conn) != nil {
		}
	})
	if _, err := c.Exchange(within(t, 200*time.Millisecond), ask(t, "www.example.", dns.TypeA)); !errors.Is(err, ErrTimeout) {
		t.Errorf("error %v", err)
	}
	exchange(t, c)
	if s.count() != 2 {
		t.Errorf("%d connections", s.count())
	}
}

// TestStuck checks that a server that does not read loses its connection, and that
// nobody waits for longer than that takes.
func TestStuck(t *testing.T) {
	c, s := overTLS(t, Options{}, func(conn net.Conn, number int) {
		if number > 1 {
			echo(t)(conn, number)
			return
		}
		conn.(*tls.Conn).Handshake()
		<-t.Context().Done()
	})
	long := append(ask(t, "www.example.", dns.TypeA), make([]byte, 60000)...)
	var asking sync.WaitGroup
	for range inFlight {
		asking.Go(func() {
			if _, err := c.Exchange(within(t, 2*time.Second), long); err != nil && !errors.Is(err, ErrTimeout) && !errors.Is(err, ErrUnreachable) {
				t.Errorf("error %v", err)
			}
		})
	}
	until(t, "the connection ends", func() bool { return s.count() > 1 || !alive(c) })
	asking.Wait()
	exchange(t, c)
}

// alive tells whether the client has a connection that lives, or none yet.
func alive(c *Client) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn == nil || c.conn.alive()
}

func TestIdle(t *testing.T) {
	ended := make(chan bool)
	c, _ := overTLS(t, Options{Idle: 20 * time.Millisecond}, func(conn net.Conn, number int) {
		echo(t)(conn, number)
		close(ended)
	})
	exchange(t, c)
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("the connection stays")
	}
}

// TestNoise checks that a server that sends what nobody asked for loses its
// connection, and that other wrong replies are errors.
func TestNoise(t *testing.T) {
	for name, talk := range map[string]func(net.Conn, []byte){
		"replies to nothing": func(conn net.Conn, q []byte) {
			q[0]++
			for range 2 * maxNoise {
				reply(conn, answer(t, q, 60))
			}
		},
		"another question": func(conn net.Conn, q []byte) { q[13]++; reply(conn, answer(t, q, 60)) },
		"no DNS":           func(conn net.Conn, q []byte) { reply(conn, []byte("hello")) },
		"HTTP":             func(conn net.Conn, q []byte) { conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")); conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := overTLS(t, Options{}, func(conn net.Conn, _ int) { talk(conn, next(conn)); next(conn) })
			_, err := c.Exchange(within(t, patience), ask(t, "www.example.", dns.TypeA))
			if !errors.Is(err, ErrUnreachable) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestCertificates(t *testing.T) {
	c, s := overTLS(t, Options{}, echo(t))
	for name, v := range map[string]struct {
		server Server
		o      Options
		good   bool
	}{
		"the name":                   {c.server, c.opt, true},
		"the address":                {Server{Proto: TLS, Addr: s.at}, c.opt, true},
		"another name":               {Server{Proto: TLS, Addr: s.at, Name: "other.example"}, c.opt, false},
		"a name of which it is part": {Server{Proto: TLS, Addr: s.at, Name: "x.dns.example"}, c.opt, false},
		"another authority":          {c.server, Options{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := client(t, v.server, v.o).Exchange(within(t, patience), ask(t, "www.example.", dns.TypeA))
			if v.good != (err == nil) || !v.good && !errors.Is(err, ErrUnreachable) {
				t.Errorf("error %v", err)
			}
		})
	}
}
