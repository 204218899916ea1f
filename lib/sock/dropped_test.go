package sock

import (
	"errors"
	"os"
	"testing"
	"time"
)

// TestDropped: what was sent was either received or counted.
func TestDropped(t *testing.T) {
	const sent = 2000
	server := listen(t, "127.0.0.1:0")
	if err := server.SetReadBuffer(1); err != nil { // the least there is
		t.Fatal(err)
	}
	if n := Dropped(server); n != 0 {
		t.Errorf("%d dropped at the beginning", n)
	}
	client := dial(t, server.LocalAddr().String())
	for range sent {
		write(t, client, "datagram")
	}
	if err := server.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	received, buf := 0, make([]byte, 100)
	for {
		_, _, err := server.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		received++
	}
	if n := Dropped(server); n == 0 || int(n)+received != sent {
		t.Errorf("%d sent, %d received, %d dropped", sent, received, n)
	}
	server.Close()
	if n := Dropped(server); n != 0 {
		t.Errorf("%d dropped of a closed socket", n)
	}
}
