package key

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseServer(t *testing.T) {
	tests := []struct{ in, service, hostport string }{
		{"namecast.example", "namecast.example", "namecast.example:8153"},
		{"Namecast.Example.", "namecast.example", "Namecast.Example.:8153"},
		{"namecast.example:53", "namecast.example", "namecast.example:53"},
		{"namecast.example@127.0.0.1:8153", "namecast.example", "127.0.0.1:8153"},
		{"Namecast.Example.@ns1.other.example", "namecast.example", "ns1.other.example:8153"},
		{"example@127.0.0.1", "example", "127.0.0.1:8153"},
		{"127.0.0.1", "", "127.0.0.1:8153"},
		{"127.0.0.1:1", "", "127.0.0.1:1"},
		{"::1", "", "[::1]:8153"},
		{"[::1]", "", "[::1]:8153"},
		{"[::1]:65535", "", "[::1]:65535"},
		{"fe80::1%eth0", "", "[fe80::1%eth0]:8153"},
		{"a.example@2001:db8::1", "a.example", "[2001:db8::1]:8153"},
		{"localhost", "", "localhost:8153"},
		{"localhost:053", "", "localhost:53"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			service, hostport, err := ParseServer(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff([]string{tt.service, tt.hostport}, []string{service, hostport}); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseServerRefuses(t *testing.T) {
	for _, in := range []string{
		"", "@", "@host", "a.example@", ":8153", "host:", "host:0", "host:65536", "host:x", "host:+1", "host:-1", "host:1:2",
		"[host]:1", "[::1", "[127.0.0.1]", "[127.0.0.1]:1", "::1]", "[]", "a b", "a..b", ".", "a@b@c", "bücher.example",
		"a.example@b/c", strings.Repeat("a", 64), strings.Repeat("a.", 127) + "a", "%@::1", "1:::2",
	} {
		t.Run(in, func(t *testing.T) {
			if service, hostport, err := ParseServer(in); err == nil {
				t.Errorf("gives %q and %q", service, hostport)
			}
		})
	}
	_, _, err := ParseServer("host:x")
	wantError(t, err, ErrServer, `bad server "host:x": not [service@]host[:port]`)
}

func TestToken(t *testing.T) {
	secret := []byte("0123456789abcdef")
	// From Python's hmac and base64.
	const want = "xvromgsb5veopsbmk6zkexq4w4"
	if d := cmp.Diff(want, Token(secret, "namecast.example", "abc")); d != "" {
		t.Fatal(d)
	}
	tests := []struct {
		name, secret, service, account, token string
		want                                  bool
	}{
		{"good", string(secret), "namecast.example", "abc", want, true},
		{"other secret", "0123456789abcdeF", "namecast.example", "abc", want, false},
		{"other service", string(secret), "namecast.exampl", "abc", want, false},
		{"other account", string(secret), "namecast.example", "abd", want, false},
		{"cut short", string(secret), "namecast.example", "abc", want[:25], false},
		{"longer", string(secret), "namecast.example", "abc", want + "a", false},
		{"none", string(secret), "namecast.example", "abc", "", false},
		{"no secret", "", "namecast.example", "abc", Token(nil, "namecast.example", "abc"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := CheckToken([]byte(tt.secret), tt.service, tt.account, tt.token); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestWork(t *testing.T) {
	pub := testKey(t).Public().Bytes()
	calls := 0
	nonce, ok := Work("namecast.example", pub, 18, func() bool { calls++; return true })
	if !ok || !CheckWork("namecast.example", pub, nonce, 18) {
		t.Fatalf("nonce %d is refused", nonce)
	}
	if uint64(calls) != nonce/goOnEvery {
		t.Errorf("goOn called %d times for %d tries", calls, nonce)
	}
	if CheckWork("namecast.exampl", pub, nonce, 18) || CheckWork("namecast.example", pub[1:], nonce, 18) || CheckWork("namecast.example", pub, nonce+1, 18) {
		t.Error("the work counts for something else")
	}
	if _, ok := Work("namecast.example", pub, MaxWork, func() bool { return false }); ok {
		t.Error("work that was told to stop went on")
	}
	if !CheckWork("", nil, 0, 0) || CheckWork("", nil, 0, 257) {
		t.Error("the limits are wrong")
	}
}

// The first nonces with 8 and 12 zero bits, found with Python's hashlib.
func TestWorkVectors(t *testing.T) {
	for bits, want := range map[int]uint64{8: 11, 12: 708} {
		if got, ok := Work("namecast.example", []byte("key"), bits, nil); got != want || !ok {
			t.Errorf("%d bits: nonce %d, want %d", bits, got, want)
		}
	}
}

func FuzzParseServer(f *testing.F) {
	for _, s := range []string{"a.example@[::1]:8153", "127.0.0.1", "localhost:1", "@", "::1%x", "[a]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		service, hostport, err := ParseServer(s)
		if err != nil {
			if service != "" || hostport != "" || !errors.Is(err, ErrServer) {
				t.Fatalf("%q: gives %q and %q with %v", s, service, hostport, err)
			}
			return
		}
		again, same, err := ParseServer(hostport)
		if err != nil || same != hostport {
			t.Fatalf("%q gives %q, which gives %q, %v", s, hostport, same, err)
		}
		if again != "" && service == "" {
			t.Fatalf("%q loses the service %q", s, again)
		}
	})
}
