package health

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLinesSlow sees that who writes the log does not wait for its reader, and that
// lost lines are told.
func TestLinesSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		l := NewLines(w)
		begun := time.Now()
		for i := range 2 * queuedLines {
			fmt.Fprintf(l, "line %d\n", i)
		}
		if time.Since(begun) != 0 {
			t.Error("the writer had to wait")
		}
		got := make(chan string)
		go func() {
			text, err := io.ReadAll(r)
			if err != nil {
				t.Error(err)
			}
			got <- string(text)
		}()
		synctest.Wait()
		fmt.Fprintln(l, "the last")
		l.Close(time.Second)
		w.Close()
		text := <-got
		if !strings.HasPrefix(text, "line 0\nline 1\n") || !strings.HasSuffix(text, " lines of the log were lost: nobody read them in time\nthe last\n") {
			t.Errorf("%.60s ... %s", text, text[max(0, len(text)-100):])
		}
		fmt.Fprintln(l, "too late")
	})
}

// TestLinesStuck sees that the end does not wait for a reader who does not read.
func TestLinesStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		l := NewLines(w)
		fmt.Fprintln(l, "unread")
		begun := time.Now()
		l.Close(time.Second)
		if took := time.Since(begun); took != time.Second {
			t.Errorf("waited %v", took)
		}
		r.Close()
		synctest.Wait()
	})
}
