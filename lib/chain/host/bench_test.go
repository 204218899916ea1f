package host

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"syscall"
	"testing"
	"time"

	"namecast/lib/chain"
	"namecast/lib/chain/frame"
	"namecast/lib/link"
)

// cpu is what the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// flight keeps so many requests of one connection under way until b.N are
// answered; cpu-ns/op is for both sides and all nodes.
func flight(b *testing.B, c *cluster, to *node, under int, ask func(conn *link.Conn, id uint64)) {
	back := make(chan struct{}, under)
	u := c.user("bench")
	ups := make(chan *link.Conn, 1)
	n := link.New(link.Config{
		Credentials: c.credentials("client", "bench2"), Incarnation: 1,
		Handle: func(_ *link.Conn, f frame.Frame) {
			if f.Type == frame.TypeReadReply && f.Body[0] != byte(chain.Done) || f.Type == frame.TypeProposeReply && f.Body[0] != byte(chain.Done) {
				b.Errorf("status %v", chain.Status(f.Body[0]))
			}
			back <- struct{}{}
		},
		Up: func(c *link.Conn) { ups <- c }, Down: func(*link.Conn, error) {}, Failed: func(string, string, error) {},
	})
	u.all.Go(func() { n.Keep(u.ctx, frame.ClassClient, to.name, to.addr) })
	conn := await(b, "connection", ups)
	b.ReportAllocs()
	b.ResetTimer()
	used := cpu()
	for i := range b.N {
		if i >= under {
			<-back
		}
		ask(conn, uint64(i)+1)
	}
	for range min(b.N, under) {
		<-back
	}
	b.ReportMetric(float64(cpu()-used)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	b.StopTimer()
	u.stop()
}

// BenchmarkRead is clean strong reads at the middle member of three.
func BenchmarkRead(b *testing.B) {
	c := newCluster(b, 3, "n1", "n2", "n3")
	c.coord.create()
	u := c.user("u1")
	middle := c.nodes[c.coord.rows[0].Members[1].Node]
	u.mustPut(c, u.to(middle, frame.ClassClient), 0, "a key of a usual length", string(make([]byte, 200)))
	keys := [][]byte{[]byte("a key of a usual length")}
	flight(b, c, middle, 64, func(conn *link.Conn, id uint64) {
		conn.Send(chain.Envelope{Chain: 0, Body: chain.Read{ID: id, Mode: chain.Strong, Keys: keys}})
	})
	if d := c.nodes[middle.name].Counters()[0].DirtyReads; d > 0 {
		b.Logf("%d dirty reads", d)
	}
}

// BenchmarkWrite is writes of 200 octets to all chains by one node of three, each
// with its disk.
func BenchmarkWrite(b *testing.B) {
	c := newCluster(b, 3, "n1", "n2", "n3")
	c.coord.create()
	u := c.user("u1")
	at := c.nodes["n1"]
	conn := u.to(at, frame.ClassClient)
	for id := range chain.ID(chain.Chains) {
		u.mustPut(c, conn, id, "key", "value")
	}
	value := make([]byte, 200)
	for _, under := range []int{1, 64, 1024} {
		b.Run(strconv.Itoa(under), func(b *testing.B) {
			syncs, took := c.synced()
			flight(b, c, at, under, func(conn *link.Conn, id uint64) {
				conn.Send(chain.Envelope{Chain: chain.ID(id % chain.Chains), Body: chain.Propose{
					ID: id, Request: request(), Base: 1, Ops: []chain.Op{{Kind: chain.Put, Key: []byte("a key of a usual length"), Value: value}},
				}})
			})
			now, until := c.synced()
			b.ReportMetric(float64(until-took)/float64(now-syncs), "ns/fsync")
			b.ReportMetric(float64(now-syncs)/float64(b.N), "fsyncs/op")
		})
	}
}

// synced counts what all nodes' disks have synced, and the time that took.
func (c *cluster) synced() (n uint64, took time.Duration) {
	for _, x := range c.nodes {
		s := x.disk.Stats()
		n, took = n+s.Writes, took+s.Time
	}
	return n, took
}

// BenchmarkCopy brings 32 MiB to a new node, half of them in one chain and the rest in
// 64 others. cpu-ms/MiB is of all nodes, with what they compact; sent/size is what they
// send for it, 1 if nothing is sent twice; dropped is how many recruits were given up on
// the way.
func BenchmarkCopy(b *testing.B) {
	const size, records = 32, 128
	for range b.N {
		b.StopTimer()
		c := newCluster(b, 3, "n1", "n2")
		c.coord.create()
		u := c.user("u1")
		conn := u.to(c.nodes["n1"], frame.ClassClient)
		for i := range records {
			u.fill(conn, chain.ID(i%(records/2)*(1-i/(records/2))), i)
		}
		before, used := c.sent(), cpu()
		b.StartTimer()
		c.add("n3")
		c.controlled()
		c.whole(3)
		b.StopTimer()
		b.ReportMetric(float64(cpu()-used)/1e6/size, "cpu-ms/MiB")
		b.ReportMetric((float64(c.sent())-float64(before))/(size<<20), "sent/size")
		b.ReportMetric(float64(c.dropped()), "dropped")
		u.stop()
	}
}

// dropped counts the recruits that were given up, of chains that have each got one.
func (c *cluster) dropped() (n int) {
	for id := range chain.ID(chain.Chains) {
		n += (int(c.coord.row(id).Epoch) - 3) / 2
	}
	return n
}

// sent counts the octets that the nodes have sent each other.
func (c *cluster) sent() (octets uint64) {
	for _, n := range c.nodes {
		for _, l := range n.Status().Links {
			octets += l.Stats.OctetsOut
		}
	}
	return octets
}

// fill writes 64 keys of 4 KiB, which no other number writes.
func (u *user) fill(to *link.Conn, id chain.ID, i int) {
	m := chain.Propose{Request: request()}
	for k := range 64 {
		value := make([]byte, 4096)
		rand.Read(value)
		m.Ops = append(m.Ops, chain.Op{Kind: chain.Put, Key: fmt.Appendf(nil, "fill%d/%d", i, k), Value: value})
	}
	for {
		n, w := u.ask()
		m.ID = n
		u.send(to, id, m)
		if r := await(u.t, "answer", w).(chain.ProposeReply); r.Status == chain.Done {
			return
		}
	}
}
