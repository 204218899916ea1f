package anycast

import (
	"io"
	"strings"
	"testing"
	"time"

	"namecast/lib/route"
)

// TestCommands: each line is answered by its number, and states follow.
func TestCommands(t *testing.T) {
	s := begin(t, plain, nil)
	s.expect(`peer 127\.0\.0\.99 idle`)
	s.expect(`route 198\.51\.100\.0/24 withdrawn 0/0`)
	for _, c := range []struct{ line, want string }{
		{"announce 192.0.2.0/24 med 7", `ok 1 announce 192\.0\.2\.0/24 med 7`},
		{"announce 203.0.113.0/24", `error 2 not a prefix of this node: 203\.0\.113\.0/24`},
		{"announce 192.0.2.0/25", `error 3 not a prefix of this node: 192\.0\.2\.0/25`},
		{"drain 192.0.2.0/24 prepend 2", `ok 4 drain 192\.0\.2\.0/24 prepend 2`},
		{"withdraw 203.0.113.0/24", `error 5 not a prefix of this node: 203\.0\.113\.0/24`},
		{"up 192.0.2.0/24", `error 6 bad line: unknown command "up"`},
		{"", `error 7 bad line: empty`},
		{"announce 192.0.2.0/24 \xff", `error 8 bad line: not plain UTF-8 text`},
		{"announce " + strings.Repeat("x", 3*route.MaxLine), `error 9 longer than 2048 octets`},
		{"withdraw 192.0.2.0/24 because it fails", `ok 10 withdraw 192\.0\.2\.0/24 because it fails`},
		{"status", `ok 11 status`},
	} {
		s.say(c.line)
		s.expect(c.want)
	}
	s.say("announce 198.51.100.0/24")
	s.expect(`route 198\.51\.100\.0/24 announced 0/0`)
	s.say("drain 198.51.100.0/24")
	s.expect(`route 198\.51\.100\.0/24 drained 0/0`)
	s.say("quit")
	s.expect(`ok 14 quit`)
	s.expect(`route 198\.51\.100\.0/24 withdrawn 0/0`)
	if err := s.result(); err != nil {
		t.Error(err)
	}
	for _, line := range s.seen {
		if _, err := route.ParseState(line); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// TestEnd: the end of the input withdraws, and a line without an end is none.
func TestEnd(t *testing.T) {
	s := begin(t, plain, nil)
	s.say("announce 192.0.2.0/24")
	s.expect(`route 192\.0\.2\.0/24 announced 0/0`)
	if _, err := io.WriteString(s.in, "announce 198.51.100.0/24"); err != nil {
		t.Fatal(err)
	}
	s.end()
	s.expect(`route 192\.0\.2\.0/24 withdrawn 0/0`)
	if err := s.result(); err != nil {
		t.Error(err)
	}
	for _, line := range s.seen {
		if strings.Contains(line, "198.51.100.0/24 announced") {
			t.Errorf("a line that was cut off was obeyed: %q", line)
		}
	}
}

// TestBeat: silence withdraws, what is wished must be said again, and errors are no
// beat.
func TestBeat(t *testing.T) {
	s := begin(t, plain, nil)
	s.say("beat 300")
	s.say("announce 192.0.2.0/24")
	s.expect(`route 192\.0\.2\.0/24 announced 0/0`)
	pause := time.NewTicker(30 * time.Millisecond)
	defer pause.Stop()
	for range 20 { // twice the beat
		s.say("withdraw 198.51.100.0/24")
		s.expect(`ok .*`)
		<-pause.C
	}
	began := time.Now()
	s.say("no command")
	s.expect(`beat lost`)
	s.expect(`route 192\.0\.2\.0/24 withdrawn 0/0`)
	if silent := time.Since(began); silent > 5*time.Second {
		t.Errorf("lost after %s", silent)
	}
	s.say("withdraw 198.51.100.0/24")
	s.expect(`ok .*`)
	s.expect(`beat lost`)
	s.say("announce 192.0.2.0/24")
	s.expect(`route 192\.0\.2\.0/24 announced 0/0`)
	s.expect(`beat lost`)
}

// TestOutputNeverRead: commands are obeyed however little is read of the states.
func TestOutputNeverRead(t *testing.T) {
	blocked, w := io.Pipe()
	defer blocked.Close()
	s := begin(t, plain, func(c *Config) { c.Out = w })
	for range 2 * maxLines {
		s.say("announce 192.0.2.0/24")
	}
	s.read(blocked)
	s.expect(`lost \d+`)
	s.expect(`ok 2048 announce 192\.0\.2\.0/24`)
	s.say("quit")
	if err := s.result(); err != nil {
		t.Error(err)
	}
}

// TestOutputGone: nobody has to be there to read.
func TestOutputGone(t *testing.T) {
	gone, w := io.Pipe()
	gone.Close()
	s := begin(t, plain, func(c *Config) { c.Out = w })
	for range 100 {
		s.say("announce 192.0.2.0/24")
	}
	s.end()
	if err := s.result(); err != nil {
		t.Error(err)
	}
}
