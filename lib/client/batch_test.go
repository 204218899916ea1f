package client

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/nup"
)

func TestReport(t *testing.T) {
	_, req := packet(t, 5)
	tests := []struct {
		name  string
		req   *nup.Request
		reply nup.Reply
		want  []string
	}{
		{
			name:  "success",
			reply: nup.Reply{Next: 6, Codes: []nup.Code{0, 0}},
			want:  []string{"packet 3 ok account=" + req.KeyID() + " seq=5 next=6", "element 3.1 ok", "element 3.2 ok"},
		}, {
			name:  "the account after a rekey",
			reply: nup.Reply{Next: 6, Account: "someoneelse"},
			want:  []string{"packet 3 ok account=someoneelse seq=5 next=6"},
		}, {
			name:  "wrong sequence number",
			reply: nup.Reply{Status: nup.StatusWrongSequence, Next: 7, Codes: []nup.Code{601}, Text: `it is "7"`},
			want: []string{`packet 3 refused status=300 "wrong sequence number" seq=5 next=7 text="it is \"7\""`,
				`element 3.1 refused code=601 "not processed because of an error in the packet"`},
		}, {
			name:  "bad element",
			reply: nup.Reply{Status: nup.StatusInvalidElement, Next: 5, Codes: []nup.Code{600, 400}},
			want: []string{`packet 3 refused status=102 "an element is invalid, nothing was changed" seq=5 next=5`,
				`element 3.1 refused code=600 "not processed because of other errors"`,
				`element 3.2 refused code=400 "invalid record data"`},
		}, {
			name:  "later",
			reply: nup.Reply{Status: nup.StatusTryLater, Next: 5, RetryAfter: 2250 * time.Millisecond},
			want:  []string{`packet 3 later status=111 "try again later" seq=5 next=5 retry-after=2.25`},
		}, {
			name:  "work wanted",
			reply: nup.Reply{Status: nup.StatusNotAdmitted, WorkBits: 20},
			want:  []string{`packet 3 refused status=110 "new account not admitted" seq=5 next=0 work=20`},
		}, {
			name:  "a sequence query",
			req:   &nup.Request{Version: 1, Key: req.Key},
			reply: nup.Reply{Status: nup.StatusNoElements, Next: 5},
			want:  []string{"packet 3 ok account=" + req.KeyID() + " seq=0 next=5"},
		}, {
			name:  "unknown numbers",
			reply: nup.Reply{Status: 7, Codes: []nup.Code{8}},
			want:  []string{`packet 3 refused status=7 "status 7" seq=5 next=0`, `element 3.1 refused code=8 "code 8"`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.req == nil {
				tt.req = req
			}
			if diff := cmp.Diff(tt.want, Report(3, tt.req, &tt.reply)); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
		})
	}
}

// Every status and code of the protocol has words of its own.
func TestWords(t *testing.T) {
	for _, s := range []nup.Status{0, 100, 101, 102, 103, 110, 111, 112, 200, 210, 300, 400, 401, 410, 500, 501, 502} {
		if strings.HasPrefix(s.String(), "status ") {
			t.Errorf("no words for status %d", s)
		}
	}
	for _, c := range []nup.Code{0, 100, 200, 201, 202, 300, 301, 400, 401, 500, 600, 601, 602, 700, 800, 801, 802, 803, 804, 805} {
		if strings.HasPrefix(c.String(), "code ") {
			t.Errorf("no words for code %d", c)
		}
	}
}

func TestDeliver(t *testing.T) {
	request, _ := packet(t, 5)
	tests := []struct {
		name  string
		after time.Duration // what the server asks for, before the third try
		want  nup.Status
		took  time.Duration
	}{
		{"soon", 3 * time.Second, nup.StatusOK, 6 * time.Second},
		{"no time to wait", time.Millisecond, nup.StatusOK, 200 * time.Millisecond},
		{"not within the limit", 15 * time.Second, nup.StatusTryLater, 0},
		{"within the limit only once", 8 * time.Second, nup.StatusTryLater, 8 * time.Second},
		{"it does not say when", 0, nup.StatusTryLater, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				o := one(func(req *nup.Request) *nup.Reply {
					if n++; n > 2 {
						return req.Reply(nup.StatusOK, 6)
					}
					r := req.Reply(nup.StatusTryLater, 5)
					r.RetryAfter = tt.after
					return r
				})
				begun := time.Now()
				reply, err := Deliver(t.Context(), here, request, o)
				if err != nil || reply.Status != tt.want {
					t.Errorf("reply %+v, error %v", reply, err)
				}
				if diff := cmp.Diff(tt.took, time.Since(begun)); diff != "" {
					t.Errorf("time (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestSendAll(t *testing.T) {
	var packets [][]byte
	for seq := range int64(3) {
		b, _ := packet(t, seq)
		packets = append(packets, b)
	}
	tests := []struct {
		name   string
		status nup.Status // of the second packet
		want   string     // the words before the attributes, a line each
		err    error
	}{
		{"all accepted", nup.StatusOK, "packet 1 ok\nelement 1.1 ok\npacket 2 ok\nelement 2.1 ok\npacket 3 ok\nelement 3.1 ok\n", nil},
		{"the second refused", nup.StatusWrongSequence,
			"packet 1 ok\nelement 1.1 ok\npacket 2 refused\nelement 2.1 refused\npacket 3 unsent\n", ErrRefused},
		{"the second too early", nup.StatusTryLater,
			"packet 1 ok\nelement 1.1 ok\npacket 2 later\nelement 2.1 refused\npacket 3 unsent\n", ErrLater},
		{"the second unanswered", 0xffff, "packet 1 ok\nelement 1.1 ok\npacket 2 unanswered\npacket 3 unsent\n", ErrNoAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := one(func(req *nup.Request) *nup.Reply {
					switch {
					case req.Seq != 1:
						return req.Reply(nup.StatusOK, req.Seq+1)
					case tt.status == 0xffff:
						return &nup.Reply{Version: 1}
					}
					return req.Reply(tt.status, 1)
				})
				var out strings.Builder
				err := SendAll(t.Context(), here, packets, &out, o)
				if !errors.Is(err, tt.err) {
					t.Errorf("error %v, want %v", err, tt.err)
				}
				got := ""
				for line := range strings.Lines(out.String()) {
					got += strings.Join(strings.Fields(line)[:3], " ") + "\n"
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("output (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Nothing at all is sent if one of the packets is none.
func TestSendAllBadPacket(t *testing.T) {
	b, _ := packet(t, 0)
	o := one(func(req *nup.Request) *nup.Reply {
		t.Errorf("a packet was sent")
		return req.Reply(nup.StatusOK, 1)
	})
	var out strings.Builder
	err := SendAll(t.Context(), here, [][]byte{b, b[:50]}, &out, o)
	if !errors.Is(err, ErrPacket) || out.Len() > 0 {
		t.Errorf("error %v, output %q", err, out.String())
	}
}
