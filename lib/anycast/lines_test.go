package anycast

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A gate is a writer that waits until it is open.
type gate struct {
	open chan struct{}
	text bytes.Buffer
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	return g.text.Write(p)
}

func lostLine(n int) string { return fmt.Sprintf("lost %d", n) }

// TestLines: what is written is in order, the newest lines are kept, and every line
// is written or counted as lost.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		l := NewLines(g, lostLine)
		const count = 3 * maxLines
		for i := range count {
			if n, err := fmt.Fprintf(l, "line %d\n", i); err != nil || n == 0 {
				t.Fatal(n, err)
			}
		}
		synctest.Wait()
		close(g.open)
		l.Close(time.Second)
		lines := strings.Split(strings.TrimSuffix(g.text.String(), "\n"), "\n")
		lost, written, last := 0, 0, -1
		for _, line := range lines {
			n := 0
			if _, err := fmt.Sscanf(line, "lost %d", &n); err == nil {
				lost += n
				continue
			}
			if _, err := fmt.Sscanf(line, "line %d", &n); err != nil || n <= last {
				t.Fatalf("line %q after %d", line, last)
			}
			written, last = written+1, n
		}
		if lost+written != count || lost == 0 || last != count-1 {
			t.Errorf("%d lost, %d written, the last %d", lost, written, last)
		}
		fmt.Fprintln(l, "too late")
	})
}

// TestLinesClosedWhileBlocked: a reader that does not read holds Close up for as long
// as was said and no longer.
func TestLinesClosedWhileBlocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &gate{open: make(chan struct{})}
		l := NewLines(g, lostLine)
		fmt.Fprintln(l, "line")
		began := time.Now()
		l.Close(time.Second)
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %s", took)
		}
		close(g.open)
	})
}

type failing struct{ calls int }

func (f *failing) Write([]byte) (int, error) {
	f.calls++
	return 0, errors.New("broken pipe")
}

// TestLinesBroken: what cannot be written is not tried again.
func TestLinesBroken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failing{}
		l := NewLines(f, lostLine)
		for range 10 {
			fmt.Fprintln(l, "line")
			synctest.Wait()
		}
		l.Close(time.Second)
		if f.calls != 1 {
			t.Errorf("%d calls", f.calls)
		}
	})
}
