package host

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A questioner asks a daemon over one socket, with as little as possible of its own.
type questioner struct {
	b    *testing.B
	conn net.Conn
	msg  []byte
	buf  [maxQuery]byte
}

// newQuestioner starts a daemon whose name server has every name.
func newQuestioner(b *testing.B) *questioner {
	s := serve(b)
	r := start(b, b.TempDir(), func(c *Config) { c.Upstream = []string{s.addr} })
	conn, err := net.Dial("udp", r.addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	m := new(dns.Msg).SetQuestion("n00000000.example.", dns.TypeA)
	m.SetEdns0(1232, false)
	msg, err := m.Pack()
	if err != nil {
		b.Fatal(err)
	}
	q := &questioner{b: b, conn: conn, msg: msg}
	q.send(0)
	q.receive()
	return q
}

// send asks for a name by its number.
func (q *questioner) send(n int) {
	for i := 8; i > 0; i, n = i-1, n/10 {
		q.msg[headerSize+1+i] = '0' + byte(n%10)
	}
	if _, err := q.conn.Write(q.msg); err != nil {
		q.b.Fatal(err)
	}
}

func (q *questioner) receive() {
	if err := q.conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		q.b.Fatal(err)
	}
	n, err := q.conn.Read(q.buf[:])
	if err != nil || n < headerSize || q.buf[3]&0xf != 0 {
		q.b.Fatalf("%d octets, %v", n, err)
	}
}

// BenchmarkHit is a question that is answered from memory, from a client's socket and
// back; under way is one, or many at a time.
func BenchmarkHit(b *testing.B) {
	for _, window := range []int{1, 32} {
		b.Run(fmt.Sprint(window), func(b *testing.B) {
			q := newQuestioner(b)
			b.ReportAllocs()
			sent := 0
			for got := 0; b.Loop(); got++ {
				for ; sent-got < window; sent++ {
					q.send(0)
				}
				q.receive()
			}
		})
	}
}

// BenchmarkMiss is a question for which the name server is asked, which this process has
// too.
func BenchmarkMiss(b *testing.B) {
	q := newQuestioner(b)
	b.ReportAllocs()
	for n := 1; b.Loop(); n++ {
		q.send(n)
		q.receive()
	}
}
