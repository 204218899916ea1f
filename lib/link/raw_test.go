package link

import (
	"crypto/tls"
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain/frame"
)

// A rawPeer is the other end of a link by hand.
type rawPeer struct {
	t      *testing.T
	conn   *tls.Conn
	frames *frame.Reader
}

// dialRaw makes the TLS of a link, as a node of the cluster.
func dialRaw(t *testing.T, c *cluster, id, addr string) *rawPeer {
	t.Helper()
	creds := load(t, c.identity(t, ca.Node, id, 0))
	conn, err := tls.Dial("tcp", addr, creds.client())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(limit))
	return &rawPeer{t, conn, frame.NewReader(conn)}
}

// shake sends a handshake, and reads the answer unless that is a Bye.
func shake(t *testing.T, c *cluster, id, addr string, h frame.Handshake) *rawPeer {
	t.Helper()
	p := dialRaw(t, c, id, addr)
	if h.Newest == 0 {
		h.Oldest, h.Newest = frame.OldestVersion, frame.NewestVersion
	}
	p.send(frame.Header{Type: frame.TypeHandshake}, frame.AppendHandshake(nil, h))
	return p
}

func (p *rawPeer) send(h frame.Header, body []byte) {
	p.t.Helper()
	b, err := frame.Append(nil, h, body)
	if err == nil {
		_, err = p.conn.Write(b)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// bye reads on until the peer says that it ends.
func (p *rawPeer) bye() frame.Bye {
	p.t.Helper()
	for {
		f, err := p.frames.Next()
		if err != nil {
			p.t.Fatalf("no Bye: %v", err)
		}
		if f.Type == frame.TypeBye {
			bye, err := frame.ParseBye(f.Body)
			if err != nil {
				p.t.Fatal(err)
			}
			return bye
		}
	}
}
