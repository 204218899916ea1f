package client

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"namecast/lib/nup"
)

// waits is a server that holds replies: until is when all nodes have everything,
// and told is what it says of that.
func waits(until time.Duration, reply func(*nup.Request) *nup.Reply) Options {
	begun := time.Now()
	w := newNetwork(map[string]server{here: func(_ int, b []byte) []answer {
		packet, wait := nup.CutWait(b)
		req, err := nup.ParseDatagram(packet)
		if err != nil {
			return nil
		}
		r, after := reply(req), time.Duration(0)
		if wait > 0 && r.Status == nup.StatusOK {
			left := until - time.Since(begun)
			if after, r.Sync = max(left, 0), nup.InSync; left > wait {
				after, r.Sync = wait, nup.Behind
			}
		}
		return []answer{{after: after, datagram: r.Append(nil, len(b))}}
	}})
	return Options{dial: w.dial}
}

func TestWaitAll(t *testing.T) {
	var packets [][]byte
	for seq := range int64(3) {
		b, _ := packet(t, seq)
		packets = append(packets, b)
	}
	ok := func(req *nup.Request) *nup.Reply { return req.Reply(nup.StatusOK, req.Seq+1) }
	tests := []struct {
		name  string
		until time.Duration
		reply func(*nup.Request) *nup.Reply
		want  string
		err   error
		took  time.Duration
	}{
		{"at once", 0, ok, "packet 3 insync\n", nil, 0},
		{"later", 3 * time.Second, ok, "packet 3 insync\n", nil, 3 * time.Second},
		{"in two pieces", 15 * time.Second, ok, "packet 3 insync\n", nil, 15 * time.Second},
		{"not in time", time.Hour, ok, "packet 3 behind\n", ErrBehind, 25 * time.Second},
		{"an old server", 0, func(req *nup.Request) *nup.Reply { return req.Reply(nup.StatusMalformed, 0) }, "packet 3 unknown\n", ErrBehind, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				var out strings.Builder
				err := WaitAll(t.Context(), here, packets, 25*time.Second, &out, waits(tt.until, tt.reply))
				if !errors.Is(err, tt.err) || out.String() != tt.want {
					t.Errorf("%q, %v; want %q, %v", out.String(), err, tt.want, tt.err)
				}
				if took := time.Since(begun); took != tt.took {
					t.Errorf("it took %v, want %v", took, tt.took)
				}
			})
		})
	}
}

// TestWaitAllBusy: a server that has too much to do is asked again.
func TestWaitAllBusy(t *testing.T) {
	b, _ := packet(t, 0)
	synctest.Test(t, func(t *testing.T) {
		n := 0
		o := waits(0, func(req *nup.Request) *nup.Reply {
			if n++; n > 2 {
				return req.Reply(nup.StatusOK, 1)
			}
			r := req.Reply(nup.StatusTryLater, 0)
			r.RetryAfter = time.Second
			return r
		})
		var out strings.Builder
		err := WaitAll(t.Context(), here, [][]byte{b}, 10*time.Second, &out, o)
		if err != nil || out.String() != "packet 1 insync\n" {
			t.Errorf("%q, %v", out.String(), err)
		}
	})
}
