package link

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"namecast/lib/chain/frame"
)

// pair gives both ends of a loopback TCP connection.
func pair(t testing.TB) (here, there net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if here, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if there, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return here, there
}

// cpu is what the process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFloor is BenchmarkEcho without a link: octets of the same number, each
// side one goroutine with buffers.
func BenchmarkFloor(b *testing.B) {
	c := newCluster(b)
	server, client := c.credentials(b, "n1"), c.credentials(b, "n2")
	for _, over := range []string{"tcp", "tls"} {
		for _, flight := range []int{1, 64, 1024} {
			b.Run(fmt.Sprintf("%s/%d", over, flight), func(b *testing.B) {
				here, there := pair(b)
				if over == "tls" {
					here, there = tls.Client(here, client.client()), tls.Server(there, server.server())
				}
				floor(b, here, there, flight)
			})
		}
	}
}

func floor(b *testing.B, here, there net.Conn, flight int) {
	const size = 300 + frame.Overhead
	go func() {
		r, w := bufio.NewReaderSize(there, 64<<10), bufio.NewWriterSize(there, 64<<10)
		body := make([]byte, size)
		for {
			if _, err := io.ReadFull(r, body); err != nil {
				return
			}
			w.Write(body)
			if r.Buffered() < size {
				w.Flush()
			}
		}
	}()
	r, w := bufio.NewReaderSize(here, 64<<10), bufio.NewWriterSize(here, 64<<10)
	body := make([]byte, size)
	turn := func(send bool) {
		if send {
			w.Write(body)
		}
		if r.Buffered() < size {
			w.Flush()
		}
	}
	turn(true)
	if _, err := io.ReadFull(r, body); err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	used := cpu()
	for range min(b.N, flight) {
		w.Write(body)
	}
	for i := range b.N {
		turn(false)
		if _, err := io.ReadFull(r, body); err != nil {
			b.Fatal(err)
		}
		if i+flight < b.N {
			turn(true)
		}
	}
	b.ReportMetric(float64(cpu()-used)/float64(b.N), "cpu-ns/op")
	b.StopTimer()
	here.Close()
	there.Close()
}

// BenchmarkEcho sends frames with bodies of 300 octets there and back, both ends in
// this process; cpu-ns/op is for both.
func BenchmarkEcho(b *testing.B) {
	c := newCluster(b)
	server, client := c.credentials(b, "n1"), c.credentials(b, "n2")
	for _, over := range []struct {
		name string
		wrap func(here, there net.Conn) (net.Conn, net.Conn)
	}{
		{"tcp", func(here, there net.Conn) (net.Conn, net.Conn) { return here, there }},
		{"tls", func(here, there net.Conn) (net.Conn, net.Conn) {
			return tls.Client(newWire(here), client.client()), tls.Server(newWire(there), server.server())
		}},
		{"tls-without-wire", func(here, there net.Conn) (net.Conn, net.Conn) {
			return tls.Client(here, client.client()), tls.Server(there, server.server())
		}},
	} {
		for _, flight := range []struct {
			name string
			n    int
		}{{"1", 1}, {"64", 64}, {"1024", 1024}} {
			b.Run(over.name+"/"+flight.name, func(b *testing.B) {
				here, there := over.wrap(pair(b))
				echo(b, here, there, flight.n)
			})
		}
	}
}

func echo(b *testing.B, here, there net.Conn, flight int) {
	ctx, cancel := context.WithCancel(b.Context())
	back := make(chan struct{}, flight)
	ends := make(chan error, 2)
	run := func(conn net.Conn, handle func(*Conn, frame.Frame)) *Conn {
		life, end := context.WithCancelCause(ctx)
		c := newConn(conn, Limits{}.filled(), end)
		c.trust = func(time.Time) error { return nil }
		go func() { ends <- c.run(life, handle) }()
		return c
	}
	body := make([]byte, 300)
	run(there, func(c *Conn, f frame.Frame) {
		if err := c.SendFrame(f.Header, f.Body); err != nil {
			b.Error(err)
		}
	})
	c := run(here, func(*Conn, frame.Frame) { back <- struct{}{} })
	send := func() {
		if err := c.SendFrame(frame.Header{Type: frame.TypeAck}, body); err != nil {
			b.Fatal(err)
		}
	}
	send() // and with it the handshake of TLS
	<-back
	b.ReportAllocs()
	b.ResetTimer()
	used := cpu()
	for i := range b.N {
		send()
		if i >= flight-1 {
			<-back
		}
	}
	for range min(b.N, flight-1) {
		<-back
	}
	b.ReportMetric(float64(cpu()-used)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
	b.StopTimer()
	cancel()
	<-ends
	<-ends
}
