package anycast

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soon is how long a test waits for what should be there in a moment.
const soon = 30 * time.Second

// childOf, in the environment, has the test's binary be nc-bgp with this
// configuration: what needs a process of its own, or a network of its own.
const childOf = "ANYCAST_TEST_CONF"

func TestMain(m *testing.M) {
	file := os.Getenv(childOf)
	if file == "" {
		os.Exit(m.Run())
	}
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	err := Run(ctx, Config{File: file, Listen: os.Getenv(childOf + "_LISTEN"), In: os.Stdin, Out: os.Stdout, Owner: os.Getuid(), Log: log})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// plain is a configuration whose neighbour does not answer.
const plain = `local as=65001 id=192.0.2.1
neighbor=127.0.0.99 as=65000 port=1
prefix=192.0.2.0/24
prefix=198.51.100.0/24 med=5
`

// write makes a file of the test and gives its path.
func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A session is a Run within the test, and who commands it.
type session struct {
	t    *testing.T
	in   io.Writer
	end  func() // of what is commanded
	out  chan string
	done chan error
	seen []string
}

// begin runs a configuration until the test ends.
func begin(t *testing.T, conf string, change func(*Config)) *session {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	s := &session{t: t, in: inW, end: func() { inW.Close() }, done: make(chan error, 1)}
	s.read(outR)
	c := Config{File: write(t, "bgp.conf", conf), In: inR, Out: outW, Owner: os.Getuid(), Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if change != nil {
		change(&c)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	t.Cleanup(func() { stop(); outR.Close(); inW.Close(); <-ended })
	go func() {
		defer close(ended)
		s.done <- Run(ctx, c)
		outW.Close()
	}()
	return s
}

// read collects lines until there are no more.
func (s *session) read(r io.Reader) {
	out := make(chan string, 10_000)
	s.out = out
	go func() {
		for in := bufio.NewScanner(r); in.Scan(); {
			out <- in.Text()
		}
		close(out)
	}()
}

// say writes a line.
func (s *session) say(line string) {
	s.t.Helper()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		s.t.Fatal(err)
	}
}

// expect waits for a line that matches, and gives it. Those before it are forgotten.
func (s *session) expect(expr string) string {
	s.t.Helper()
	re := regexp.MustCompile("^" + expr + "$")
	limit := time.After(soon)
	for {
		select {
		case line, more := <-s.out:
			if !more {
				s.t.Fatalf("the end, and not %q, after\n%s", expr, strings.Join(s.seen, "\n"))
			}
			s.seen = append(s.seen, line)
			if re.MatchString(line) {
				return line
			}
		case <-limit:
			s.t.Fatalf("no %q, after\n%s", expr, strings.Join(s.seen, "\n"))
		}
	}
}

// result waits for the end of Run.
func (s *session) result() error {
	s.t.Helper()
	select {
	case err := <-s.done:
		return err
	case <-time.After(soon):
		s.t.Fatal("it does not end")
		return errors.New("it does not end")
	}
}
