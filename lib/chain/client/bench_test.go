package client

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/link"
)

// canned makes a cluster of one node that answers every read and every write with
// the same octets, so that what is measured is the client and the links.
func canned(b *testing.B, size int) *Client {
	c := newCluster(b)
	creds := c.credentials(ca.Node, "n1")
	l := listen(b, "127.0.0.1:0")
	t := tableOf(l.Addr().String())
	read := body(b, chain.ReadReply{
		Status: chain.Done, LSN: 7, Values: []chain.Value{{Found: true, Version: 7, Data: make([]byte, size)}},
	})
	wrote := body(b, chain.ProposeReply{Status: chain.Done, Outcome: chain.Outcome{Verdict: chain.Applied, LSN: 7}})
	n := link.New(link.Config{
		Credentials: creds, Incarnation: 1,
		Up: func(*link.Conn) {}, Down: func(*link.Conn, error) {}, Failed: func(string, string, error) {},
		Handle: func(conn *link.Conn, f frame.Frame) {
			switch f.Type {
			case frame.TypeRead:
				f.Type = frame.TypeReadReply
				conn.SendFrame(f.Header, read)
			case frame.TypePropose:
				f.Type = frame.TypeProposeReply
				conn.SendFrame(f.Header, wrote)
			case frame.TypeTableQuery:
				table := t
				table.ID = f.Stream
				conn.Send(chain.Envelope{Body: table})
			}
		},
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Serve(ctx, l) }()
	b.Cleanup(func() { stop(); <-ended })
	k := c.client("a", func(cfg *Config) { cfg.Addrs = []string{l.Addr().String()} })
	// With this the LSN of the chain is known, which a write would ask for.
	if _, err := k.Read(within(b), 3, chain.Read{Mode: chain.Strong, Keys: [][]byte{[]byte("k")}}); err != nil {
		b.Fatal(err)
	}
	return k
}

// tableOf is that of one node, which is there.
func tableOf(addr string) chain.Table {
	t := chain.Table{Revision: 1, Sites: []chain.Site{{Node: "n1", Addr: addr, Live: true}}}
	for id := range chain.ID(chain.Chains) {
		t.Rows = append(t.Rows, chain.Row{Chain: id, Epoch: 1, Members: []chain.Member{{Node: "n1", Inc: 1}}})
	}
	return t
}

// body is the body of a message's frame.
func body(b *testing.B, m chain.Message) []byte {
	octets, err := frame.AppendMessage(nil, chain.Envelope{Body: m})
	if err != nil {
		b.Fatal(err)
	}
	f, _, err := frame.Parse(octets)
	if err != nil {
		b.Fatal(err)
	}
	return f.Body
}

// cpu is what the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// flight makes calls, so many at a time; cpu-ns/op and the allocations are those of
// the client and of the canned node's link together.
func flight(b *testing.B, at int, call func() error) {
	b.ReportAllocs()
	b.ResetTimer()
	used := cpu()
	var left atomic.Int64
	left.Store(int64(b.N))
	var all sync.WaitGroup
	for range at {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := call(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(cpu()-used)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

func BenchmarkRead(b *testing.B) {
	for _, at := range []int{1, 64, 512} {
		b.Run(fmt.Sprint(at), func(b *testing.B) {
			k := canned(b, 200)
			keys := [][]byte{[]byte("a key of an ordinary length")}
			flight(b, at, func() error {
				_, err := k.Read(context.Background(), 3, chain.Read{Mode: chain.Strong, Keys: keys})
				return err
			})
		})
	}
}

func BenchmarkPropose(b *testing.B) {
	k := canned(b, 200)
	ops := put("a key of an ordinary length", string(make([]byte, 200)))
	flight(b, 64, func() error {
		_, err := k.Propose(context.Background(), 3, chain.Propose{Request: NewRequest(), Ops: ops})
		return err
	})
}
