package sock

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestBadReplyAmongGood(t *testing.T) {
	const many = 10
	tooLong := make([]byte, 66000)
	for _, c := range []struct {
		name string
		bad  func(b *Batch, i int)
	}{
		{"too long", func(b *Batch, i int) { b.Reply(i, tooLong) }},
		{"no such network", func(b *Batch, i int) {
			b.from[i] = sockaddr{0: b.from[i][0], 1: b.from[i][1], 3: 53, 4: 240, 7: 1}
			b.Reply(i, append(b.Room(i), "x"...))
		}},
		{"other family", func(b *Batch, i int) {
			b.Reply(i, append(b.Room(i), "x"...))
			b.out[b.queued-1].Hdr.Namelen = 3
		}},
	} {
		for _, at := range [][]int{{0}, {4}, {many - 1}, {0, 1, 2}, {7, 8, 9}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}} {
			t.Run(fmt.Sprint(c.name, at), func(t *testing.T) {
				testBad(t, many, at, c.bad)
			})
		}
	}
}

// testBad has n datagrams answered, those at some places badly.
func testBad(t *testing.T, n int, at []int, bad func(b *Batch, i int)) {
	server := listen(t, "127.0.0.1:0")
	b, client := newBatch(t, server, 100), dial(t, server.LocalAddr().String())
	var want []string
	isBad := map[string]bool{}
	for _, i := range at {
		isBad[fmt.Sprint(i)] = true
	}
	for i := range n {
		write(t, client, fmt.Sprint(i))
		if !isBad[fmt.Sprint(i)] {
			want = append(want, fmt.Sprint(i))
		}
	}
	receive(t, b, n, func(i int) {
		if isBad[string(b.Packet(i))] {
			bad(b, i)
			return
		}
		b.Reply(i, append(b.Room(i), b.Packet(i)...))
	})
	var got []string
	for range want {
		got = append(got, read(t, client))
	}
	if w, g := strings.Join(want, " "), strings.Join(got, " "); w != g {
		t.Errorf("want %q, got %q", w, g)
	}
	exchange(t, b, client)
}

func TestNoReplyToPortZero(t *testing.T) {
	server := listen(t, "127.0.0.1:0")
	b, client := newBatch(t, server, 100), dial(t, server.LocalAddr().String())
	write(t, client, "question")
	receive(t, b, 1, func(i int) {
		b.Reply(i, nil)
		b.from[i][2], b.from[i][3] = 0, 0
		b.Reply(i, append(b.Room(i), "x"...))
		b.from[i] = sockaddr{}
		b.Reply(i, append(b.Room(i), "x"...))
		if b.queued != 0 {
			t.Errorf("%d replies are queued", b.queued)
		}
	})
	exchange(t, b, client)
}

// TestErrorsOfEarlierReplies uses a connected socket, the only kind that the
// kernel tells of a peer that is gone.
func TestErrorsOfEarlierReplies(t *testing.T) {
	peer := listen(t, "127.0.0.1:0")
	server := dial(t, peer.LocalAddr().String())
	b := newBatch(t, server, 100)
	answer := func(i int) { b.Reply(i, append(b.Room(i), "answer"...)) }
	ask := func() {
		t.Helper()
		if _, err := peer.WriteTo([]byte("question"), server.LocalAddr()); err != nil {
			t.Fatal(err)
		}
	}
	refuse := func() { // makes the kernel have an error for the socket
		t.Helper()
		peer.Close()
		answer(0)
		b.Flush()
		awaitError(t, server)
		peer = listen(t, peer.LocalAddr().String())
		peer.SetDeadline(time.Now().Add(limit))
	}
	ask()
	receive(t, b, 1, func(int) {})
	refuse()
	answer(0)
	b.Flush()
	var buf [100]byte
	if n, err := peer.Read(buf[:]); err != nil || string(buf[:n]) != "answer" {
		t.Errorf("a reply after the error: got %q, %v", buf[:n], err)
	}
	refuse()
	ask()
	receive(t, b, 1, answer)
	if n, err := peer.Read(buf[:]); err != nil || string(buf[:n]) != "answer" {
		t.Errorf("a question after the error: got %q, %v", buf[:n], err)
	}
}

// awaitError waits until the kernel has an error to tell of a socket.
func awaitError(t *testing.T, c *net.UDPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd)}} // an error is told unasked
		if n, err := unix.Poll(fds, int(limit.Milliseconds())); n != 1 || err != nil {
			t.Errorf("no error of the socket comes: %v", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReceiveEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(c *net.UDPConn) error
		want error
	}{
		{"with the deadline", func(c *net.UDPConn) error { return c.SetReadDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		{"with the socket", (*net.UDPConn).Close, net.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := listen(t, "127.0.0.1:0")
			b, client := newBatch(t, server, 100), dial(t, server.LocalAddr().String())
			exchange(t, b, client)
			ended := make(chan error, 1)
			go func() {
				_, err := b.Receive()
				ended <- err
			}()
			if err := c.end(server); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; !errors.Is(err, c.want) {
				t.Errorf("want %v, got %v", c.want, err)
			}
			b.Reply(0, append(b.Room(0), "x"...))
			b.Flush()
			write(t, client, "question")
			if n, err := b.Receive(); n != 0 || !errors.Is(err, c.want) {
				t.Errorf("afterwards: want %v, got %d, %v", c.want, n, err)
			}
		})
	}
}

func TestReceiveGoesOnAfterADeadline(t *testing.T) {
	server := listen(t, "127.0.0.1:0")
	b, client := newBatch(t, server, 100), dial(t, server.LocalAddr().String())
	server.SetReadDeadline(time.Unix(1, 0))
	if n, err := b.Receive(); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(n, err)
	}
	server.SetReadDeadline(time.Now().Add(limit))
	exchange(t, b, client)
}

// TestBatchesShareASocket has several of them answer one socket's datagrams.
func TestBatchesShareASocket(t *testing.T) {
	const batches, clients, questions = 3, 4, 300
	server := listen(t, "127.0.0.1:0")
	ended := make(chan error, batches)
	for range batches {
		b := newBatch(t, server, 100)
		go func() {
			for {
				n, err := b.Receive()
				if err != nil {
					ended <- err
					return
				}
				for i := range n {
					b.Reply(i, append(b.Room(i), b.Packet(i)...))
				}
			}
		}()
	}
	done := make(chan error, clients)
	for k := range clients {
		c := dial(t, server.LocalAddr().String())
		go func() { done <- ask(c, k, questions) }()
	}
	for range clients {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	server.SetReadDeadline(time.Unix(1, 0))
	for range batches {
		if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	}
}

// ask sends n questions of client k one by one and checks that each comes back.
func ask(c *net.UDPConn, k, n int) error {
	var buf [100]byte
	for i := range n {
		want := fmt.Sprint("question ", i, " of ", k)
		if _, err := c.Write([]byte(want)); err != nil {
			return err
		}
		n, err := c.Read(buf[:])
		if err != nil {
			return err
		}
		if got := string(buf[:n]); got != want {
			return fmt.Errorf("want %q, got %q", want, got)
		}
	}
	return nil
}
