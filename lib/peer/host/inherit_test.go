package host

import (
	"os"
	"slices"
	"strconv"
	"testing"
)

// TestInherited: what is given to another process, as to a parent that did not regard it,
// is not taken, and what is no number is refused.
func TestInherited(t *testing.T) {
	me := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		pid, count string
		bad        bool
	}{{"1", "2", false}, {"", "2", false}, {"", "", false}, {me, "0", false}, {me, "", true}, {me, "many", true}, {me, "-1", true}, {me, "65", true}} {
		t.Setenv("LISTEN_PID", c.pid)
		t.Setenv("LISTEN_FDS", c.count)
		t.Setenv("LISTEN_FDNAMES", "a:b")
		s, err := inherited()
		if (err != nil) != c.bad || len(s.udp) != 0 || len(s.tcp) != 0 {
			t.Errorf("LISTEN_PID=%s LISTEN_FDS=%s: %v, %v", c.pid, c.count, s, err)
		}
		for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
			if _, ok := os.LookupEnv(name); ok {
				t.Errorf("children have %s", name)
			}
		}
	}
}

// TestMissing: what the supervisor has opened for both UDP and TCP is not opened again.
func TestMissing(t *testing.T) {
	var s sockets
	defer s.close()
	opened, err := listenStub([]string{"127.0.0.1:0", "[::1]:0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.udp, s.tcp = opened.udp, opened.tcp
	list, err := s.missing(append(opened.addrs(), "127.0.0.1:1"))
	if err != nil || !slices.Equal(list, []string{"127.0.0.1:1"}) {
		t.Errorf("to be opened: %v, %v", list, err)
	}
	for what, half := range map[string]sockets{
		"UDP alone": {udp: s.udp}, "TCP alone": {tcp: s.tcp}, "each at another address": {udp: s.udp[:1], tcp: s.tcp[1:]},
	} {
		if _, err := half.missing(nil); err == nil {
			t.Errorf("%s is enough", what)
		}
	}
}
