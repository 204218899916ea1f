package upstream

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// overHTTPS runs a server by a handler, with HTTP/2, and makes its client.
func overHTTPS(t *testing.T, handle http.HandlerFunc) (*Client, *atomic.Int32) {
	t.Helper()
	cert, roots := authority(t, []string{"dns.example"})
	conns := new(atomic.Int32)
	s := httptest.NewUnstartedServer(handle)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.EnableHTTP2 = true
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return webClient(t, s, roots), conns
}

func webClient(t *testing.T, s *httptest.Server, roots *x509.CertPool) *Client {
	at := netip.MustParseAddrPort(s.Listener.Addr().String())
	return client(t, Server{HTTPS, at, "dns.example", "/dns-query"}, Options{Roots: roots})
}

func TestHTTPS(t *testing.T) {
	c, conns := overHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
		q, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/dns-query" || r.ProtoMajor != 2 ||
			r.Host[:11] != "dns.example" || r.Header.Get("Content-Type") != dnsMessage || binary.BigEndian.Uint16(q) != 0 {
			t.Errorf("%s %s %s %s: %v, %x, %v", r.Proto, r.Method, r.Host, r.URL, r.Header, q, err)
		}
		w.Header().Set("Content-Type", dnsMessage+"; charset=binary")
		w.Header().Set("Age", "20")
		w.Write(answer(t, q, 60))
	})
	var asking sync.WaitGroup
	exchange(t, c)
	for range 20 {
		asking.Go(func() {
			b, err := c.Exchange(within(t, patience), ask(t, "www.example.", dns.TypeA))
			m := new(dns.Msg)
			if err != nil || m.Unpack(b) != nil || m.Answer[0].Header().Ttl != 40 {
				t.Errorf("%v, %v", m, err)
			}
		})
	}
	asking.Wait()
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestHTTPSRefused(t *testing.T) {
	for name, handle := range map[string]http.HandlerFunc{
		"failure":  func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusInternalServerError) },
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusSeeOther) },
		"a page":   func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("<html>log in")) },
		"no DNS": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", dnsMessage)
			w.Write([]byte("hello"))
		},
		"too long": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", dnsMessage)
			w.Write(bytes.Repeat([]byte{0}, maxMessage+1))
		},
		"without end": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", dnsMessage)
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := overHTTPS(t, handle)
			_, err := c.Exchange(within(t, patience), ask(t, "www.example.", dns.TypeA))
			if !errors.Is(err, ErrUnreachable) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestHTTPSDead checks that a connection that has died in silence is replaced
// within the first query's time.
func TestHTTPSDead(t *testing.T) {
	var dead atomic.Value // the connection that is not answered any more
	dead.Store("")
	c, conns := overHTTPS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.RemoteAddr == dead.Load() {
			<-r.Context().Done()
			return
		}
		dead.CompareAndSwap("", r.RemoteAddr)
		q, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", dnsMessage)
		w.Write(answer(t, q, 60))
	})
	exchange(t, c)
	c.mu.Lock()
	c.heard = time.Now().Add(-2 * fresh)
	c.mu.Unlock()
	if _, err := c.Exchange(within(t, 2*time.Second), ask(t, "www.example.", dns.TypeA)); err != nil || conns.Load() != 2 {
		t.Errorf("%v, %d connections", err, conns.Load())
	}
}
