package client

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/nup"
)

// one answers every datagram with what make gives for the request in it.
func one(make func(*nup.Request) *nup.Reply) Options {
	w := newNetwork(map[string]server{here: func(_ int, b []byte) []answer {
		req, err := nup.ParseDatagram(b)
		if err != nil {
			return nil
		}
		return []answer{{datagram: make(req).Append(nil, len(b))}}
	}})
	return Options{dial: w.dial}
}

func TestReplyTo(t *testing.T) {
	_, req := packet(t, 5)
	old := &nup.Request{Version: 0, Key: []byte("an old key"), Seq: 5}
	tests := []struct {
		name  string
		req   *nup.Request
		reply nup.Reply
		want  bool
	}{
		{"its own", req, nup.Reply{Version: 1, Key: req.Key, Seq: 5}, true},
		{"its own, version 0", old, nup.Reply{Version: 0, Key: old.Key, Seq: 5}, true},
		{"another key", req, nup.Reply{Version: 1, Key: secret(t, 2).Public().Bytes(), Seq: 5}, false},
		{"no key", req, nup.Reply{Version: 1, Seq: 5}, false},
		{"another sequence number", req, nup.Reply{Version: 1, Key: req.Key, Seq: 4}, false},
		{"a success in another version", req, nup.Reply{Version: 0, Key: req.Key, Seq: 5}, false},
		{"a version 1 answer to version 0", old, nup.Reply{Version: 1, Key: old.Key, Seq: 5}, false},
		{"version not spoken", req, nup.Reply{Version: 0, Key: req.Key, Status: nup.StatusUnsupported}, true},
		{"version obsolete", req, nup.Reply{Version: 0, Key: req.Key, Status: nup.StatusObsolete}, true},
		{"another key's version not spoken", req, nup.Reply{Version: 0, Key: old.Key, Status: nup.StatusUnsupported}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := replyTo(tt.req, tt.reply.Append(nil, 1000))
			if diff := cmp.Diff(tt.want, got != nil); diff != "" {
				t.Errorf("accepted (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever comes: what is taken for the reply has the request's key, and its
// sequence number unless it says that the version is not spoken.
func FuzzReplyTo(f *testing.F) {
	_, req := packet(f, 5)
	reply := req.Reply(nup.StatusWrongSequence, 6)
	reply.From, reply.Text = netip.MustParseAddrPort("192.0.2.7:53"), "hello"
	f.Add(reply.Append(nil, 1000))
	f.Add((&nup.Reply{Key: req.Key, Status: nup.StatusUnsupported}).Append(nil, 1000))
	f.Add((&nup.Reply{Key: req.Key, Seq: 5, Codes: []nup.Code{0}}).Append(nil, 1000))
	f.Add([]byte(nup.Magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := replyTo(req, b)
		if r == nil {
			return
		}
		unspoken := r.Status == nup.StatusUnsupported || r.Status == nup.StatusObsolete
		if string(r.Key) != string(req.Key) || r.Seq != req.Seq && !unspoken || r.Version != req.Version && !unspoken {
			t.Errorf("took %+v", r)
		}
		for _, line := range Report(1, req, r) {
			for _, c := range line {
				if c < ' ' || c == 0x7f {
					t.Errorf("a control character in %q", line)
				}
			}
		}
	})
}

func TestNextSeq(t *testing.T) {
	tests := []struct {
		name  string
		reply nup.Reply
		want  int64
		err   string
	}{
		{name: "an account", reply: nup.Reply{Status: nup.StatusNoElements, Next: 7}, want: 7},
		{name: "no account yet", reply: nup.Reply{Status: nup.StatusNoElements}},
		{
			name:  "another service",
			reply: nup.Reply{Status: nup.StatusOtherService, Text: "this is other.example"},
			err:   `the server answers 410, "signed for another service": "this is other.example"`,
		}, {
			name:  "no words",
			reply: nup.Reply{Status: nup.StatusKeyReplaced},
			err:   `the server answers 210, "key was replaced by another"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := one(func(req *nup.Request) *nup.Reply {
				r := tt.reply
				r.Version, r.Key = req.Version, req.Key
				if !req.IsQuery() || req.Service != service || !req.Verify(secret(t, 1).Public()) {
					t.Errorf("not a signed query: %+v", req)
				}
				return &r
			})
			seq, reply, err := NextSeq(t.Context(), here, secret(t, 1), service, o)
			var refused *RefusedError
			switch {
			case tt.err != "":
				if !errors.As(err, &refused) || err.Error() != tt.err {
					t.Errorf("error %v, want %s", err, tt.err)
				}
			case err != nil || seq != tt.want || reply.Status != tt.reply.Status:
				t.Errorf("%d, %+v, %v, want %d", seq, reply, err, tt.want)
			}
		})
	}
}

func TestWhoAmI(t *testing.T) {
	seen := ""
	o := one(func(req *nup.Request) *nup.Reply {
		if seen == req.KeyID() {
			t.Errorf("the same key twice")
		}
		seen = req.KeyID()
		r := req.Reply(nup.StatusNotAdmitted, 0)
		r.From = netip.MustParseAddrPort("[::ffff:192.0.2.7]:999")
		return r
	})
	for range 2 {
		addr, err := WhoAmI(t.Context(), here, service, o)
		if err != nil || addr.String() != "192.0.2.7" {
			t.Errorf("address %v, error %v", addr, err)
		}
	}
	o = one(func(req *nup.Request) *nup.Reply { return req.Reply(nup.StatusNoElements, 0) })
	if _, err := WhoAmI(t.Context(), here, service, o); !errors.Is(err, ErrNoAddress) {
		t.Errorf("without an address: %v", err)
	}
	if _, err := WhoAmI(t.Context(), here, "", o); err == nil {
		t.Errorf("without a service: no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := WhoAmI(ctx, here, service, o); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
}
