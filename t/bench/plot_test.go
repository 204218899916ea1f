package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// drawn is a sample with everything that a chart can have.
func drawn() *table {
	t := sample(4)
	for i, work := range []string{"mixed", workUpdates, workBusy} {
		for j, server := range []string{"echo", ncServe, "nsd"} {
			t.add(cell{work, server, "p50"}, float64(100+i*j))
			t.add(cell{work, server, "p99"}, float64(100000*(i+1)))
		}
	}
	t.add(cell{"flood", "nsd", "cpu"}, 0)
	t.add(cell{"flood", "nsd", "p50"}, 0)
	return t
}

func TestChartsAreTheSameForTheSameTable(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sample")
	files, err := drawn().draw(name)
	if err != nil || len(files) != 3 {
		t.Fatalf("want three charts, got %v, %v", files, err)
	}
	for _, f := range files {
		first, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := drawn().draw(name); err != nil {
			t.Fatal(err)
		}
		second, err := os.ReadFile(f)
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s differs, %v", f, err)
		}
		wellFormed(t, first)
		for _, want := range []string{">nc-serve<", ">answers, mixed<", "Liberation Sans,Arial"} {
			if !strings.Contains(string(first), want) {
				t.Errorf("%s: no %q", f, want)
			}
		}
		if strings.Contains(string(first), "NaN") || strings.Contains(string(first), "Inf") {
			t.Errorf("%s has what is no number", f)
		}
	}
}

func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestNothingToDraw(t *testing.T) {
	tab := newTable()
	tab.add(cell{workPlain, ncServe, "start"}, 1)
	if files, err := tab.draw(filepath.Join(t.TempDir(), "none")); err != nil || len(files) != 0 {
		t.Errorf("want no chart, got %v, %v", files, err)
	}
}

func TestAxisSteps(t *testing.T) {
	for _, high := range []float64{1e-3, 0.9, 1, 4.2, 18, 99, 250, 1e6} {
		n, last := 0, -1.0
		for _, tick := range steps(0, high) {
			if n++; tick.Value <= last || tick.Value > high {
				t.Errorf("0 to %v: %v after %v", high, tick.Value, last)
			}
			last = tick.Value
		}
		if n < 3 || n > 6 {
			t.Errorf("0 to %v: want 3 to 6 steps, got %d", high, n)
		}
	}
	labels := ""
	for _, tick := range decades(0.04, 250) {
		labels += " " + tick.Label
	}
	if got := strings.Join(strings.Fields(labels), " "); got != "0.1 1 10 100" {
		t.Errorf("decades: %s", got)
	}
}

func TestLinks(t *testing.T) {
	var b bytes.Buffer
	if err := writeLinks(&b, []string{"/x/full-cpu.svg"}); err != nil || b.String() != "\n![full-cpu](full-cpu.svg)\n" {
		t.Errorf("got %q, %v", b.String(), err)
	}
}
