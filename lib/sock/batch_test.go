package sock

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// limit is how long a test waits for what must come.
const limit = 20 * time.Second

func listen(t *testing.T, addr string) *net.UDPConn {
	t.Helper()
	list, err := ListenUDP(addr)
	if err != nil {
		if strings.HasPrefix(addr, "[") {
			t.Skip("no IPv6: ", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(list, nil) })
	return list[0]
}

func newBatch(t *testing.T, c *net.UDPConn, max int) *Batch {
	t.Helper()
	b, err := NewBatch(c, max)
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(limit))
	return b
}

// dial makes a client, which takes replies only from the address that it asks.
func dial(t *testing.T, addr string) *net.UDPConn {
	t.Helper()
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(limit))
	return c.(*net.UDPConn)
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, c net.Conn) string {
	t.Helper()
	var buf [100]byte
	n, err := c.Read(buf[:])
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

// receive receives until there are n datagrams, which the function is given.
func receive(t *testing.T, b *Batch, n int, f func(i int)) {
	t.Helper()
	for n > 0 {
		got, err := b.Receive()
		if err != nil {
			t.Fatalf("%v, with %d datagrams to come", err, n)
		}
		if got < 1 || got > BatchSize || got > n {
			t.Fatalf("%d datagrams at once, with %d to come", got, n)
		}
		for i := range got {
			f(i)
		}
		b.Flush()
		n -= got
	}
}

// exchange sends a datagram and has it answered.
func exchange(t *testing.T, b *Batch, c net.Conn) {
	t.Helper()
	write(t, c, "question")
	receive(t, b, 1, func(i int) { b.Reply(i, append(b.Room(i), "answer"...)) })
	if got := read(t, c); got != "answer" {
		t.Errorf("want an answer, got %q", got)
	}
}

func port(c net.PacketConn) int { return c.LocalAddr().(*net.UDPAddr).Port }

func TestRepliesLeaveFromTheAddressAsked(t *testing.T) {
	for _, c := range []struct{ bound, asked string }{
		{"127.0.0.1", "127.0.0.1"},
		{"0.0.0.0", "127.0.0.1"},
		{"0.0.0.0", "127.0.0.2"},
		{"0.0.0.0", "127.1.2.3"},
		{"[::1]", "[::1]"},
		{"[::]", "[::1]"},
	} {
		t.Run(c.bound+" "+c.asked, func(t *testing.T) {
			server := listen(t, c.bound+":0")
			b := newBatch(t, server, 100)
			client := dial(t, fmt.Sprintf("%s:%d", c.asked, port(server)))
			testWays(t, b, server, client)
		})
	}
}

// testWays has one client's datagrams answered at once and later.
func testWays(t *testing.T, b *Batch, server *net.UDPConn, client net.Conn) {
	t.Helper()
	want := client.LocalAddr().(*net.UDPAddr).AddrPort()
	want = netip.AddrPortFrom(want.Addr().WithZone(""), want.Port())
	for range 3 {
		write(t, client, "question")
		var back Back
		receive(t, b, 1, func(i int) {
			if got := b.From(i); got != want {
				t.Errorf("from: want %s, got %s", want, got)
			}
			if got := string(b.Packet(i)); got != "question" {
				t.Errorf("got %q", got)
			}
			b.Reply(i, append(b.Room(i), "at once"...))
			back = b.Back(i)
		})
		if err := Reply(server, []byte("later"), &back); err != nil {
			t.Fatal(err)
		}
		if got := read(t, client) + ", " + read(t, client); got != "at once, later" {
			t.Errorf("got %q", got)
		}
	}
}

func TestBothFamiliesThroughOneSocket(t *testing.T) {
	server, err := net.ListenUDP("udp", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if !server.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Is6() {
		t.Skip("no IPv6")
	}
	b := newBatch(t, server, 100)
	testWays(t, b, server, dial(t, fmt.Sprintf("127.0.0.2:%d", port(server))))
	testWays(t, b, server, dial(t, fmt.Sprintf("[::1]:%d", port(server))))
}

func TestLinkLocalSender(t *testing.T) {
	var host string
	list, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, ifi := range list {
		addrs, _ := ifi.Addrs()
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is6() && p.Addr().IsLinkLocalUnicast() && ifi.Flags&net.FlagUp != 0 {
				host = p.Addr().WithZone(ifi.Name).String()
			}
		}
	}
	if host == "" {
		t.Skip("no link-local IPv6 address")
	}
	server := listen(t, "[::]:0")
	testWays(t, newBatch(t, server, 100), server, dial(t, fmt.Sprintf("[%s]:%d", host, port(server))))
}

func TestManyAtOnce(t *testing.T) {
	const many = 2*BatchSize + 10
	server := listen(t, "127.0.0.1:0")
	b, client := newBatch(t, server, 100), dial(t, server.LocalAddr().String())
	for i := range many {
		write(t, client, fmt.Sprint("question ", i))
	}
	receive(t, b, many, func(i int) {
		b.Reply(i, append(append(b.Room(i), "re: "...), b.Packet(i)...))
	})
	for i := range many {
		if want, got := fmt.Sprint("re: question ", i), read(t, client); got != want {
			t.Fatalf("want %q, got %q", want, got)
		}
	}
}

func TestMoreRepliesThanDatagrams(t *testing.T) {
	const many = BatchSize + 10
	server := listen(t, "127.0.0.1:0")
	b, client := newBatch(t, server, 100), dial(t, server.LocalAddr().String())
	write(t, client, "question")
	receive(t, b, 1, func(i int) {
		for k := range many {
			b.Reply(i, fmt.Append(nil, k))
		}
	})
	for k := range many {
		if want, got := fmt.Sprint(k), read(t, client); got != want {
			t.Fatalf("want %q, got %q", want, got)
		}
	}
}

func TestReceiveSendsWhatIsQueued(t *testing.T) {
	server := listen(t, "127.0.0.1:0")
	b, client := newBatch(t, server, 100), dial(t, server.LocalAddr().String())
	write(t, client, "question")
	if n, err := b.Receive(); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	b.Reply(0, append(b.Room(0), "answer"...))
	server.SetReadDeadline(time.Unix(1, 0))
	if n, err := b.Receive(); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(n, err)
	}
	if got := read(t, client); got != "answer" {
		t.Errorf("got %q", got)
	}
}

func TestLongDatagramIsCut(t *testing.T) {
	server := listen(t, "127.0.0.1:0")
	b, client := newBatch(t, server, 10), dial(t, server.LocalAddr().String())
	for range 3 {
		write(t, client, "0123456789abc")
		write(t, client, "0")
		write(t, client, "")
		var got []string
		receive(t, b, 3, func(i int) {
			got = append(got, string(b.Packet(i)))
			if cap(b.Packet(i)) != 10 || cap(b.Room(i)) != 10 || len(b.Room(i)) != 0 {
				t.Errorf("capacities %d, %d", cap(b.Packet(i)), cap(b.Room(i)))
			}
		})
		if s := strings.Join(got, ","); s != "0123456789,0," {
			t.Errorf("got %q", s)
		}
	}
}

func TestRoomsAreApart(t *testing.T) {
	server := listen(t, "127.0.0.1:0")
	for _, max := range []int{1, 63, 64, 65, 4096, 65535} {
		b := newBatch(t, server, max)
		for i := range BatchSize {
			room := b.Room(i)[:max]
			for k := range room {
				room[k] = byte(i + 1)
			}
		}
		for i := range BatchSize {
			if want := bytes.Repeat([]byte{byte(i + 1)}, max); !bytes.Equal(b.Room(i)[:max], want) {
				t.Errorf("room %d of %d octets was overwritten", i, max)
			}
		}
	}
	for _, max := range []int{-1, 0, 65536} {
		if b, err := NewBatch(server, max); err == nil {
			t.Errorf("want an error for %d octets, got %v", max, b)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "0.0.0.0", "[::]"} {
		t.Run(host, func(t *testing.T) {
			server := listen(t, host+":0")
			b := newBatch(t, server, 100)
			client := dial(t, server.LocalAddr().String())
			buf, question := make([]byte, 100), []byte("question")
			var err error
			allocs := testing.AllocsPerRun(100, func() {
				if _, e := client.Write(question); e != nil {
					err = e
				}
				n, e := b.Receive()
				for i := range n {
					if !b.From(i).IsValid() {
						err = errors.New("no sender")
					}
					b.Reply(i, append(b.Room(i), b.Packet(i)...))
				}
				b.Flush()
				if _, e2 := client.Read(buf); e2 != nil {
					err = e2
				}
				err = errors.Join(err, e)
			})
			if err != nil || allocs != 0 {
				t.Errorf("%v allocations, %v", allocs, err)
			}
		})
	}
}
