// Figures plays local networks that lose their name server, and draws what became of
// their clients' lookups.
//
// Usage:
//
//	figures [-quick] [-most N] [-only F1,F2,...] -o FOLDER
//
// It writes F1.svg and F1.tsv and so on to the folder, and table.tsv, which puts what was
// measured beside what the design of the group forecast and what CoDNS (Park, Pai,
// Peterson and Wang, OSDI 2004) saw on PlanetLab:
//
//	F1  lookups answered by the time since the name server died, five schemes
//	F2  lookups answered after 15 to 60 minutes by the share of nodes removed,
//	    with 1 to 3 owners of a name, with and without the call to all
//	F3  packets in the local network for a lookup by the number of nodes
//	F4  questions to the name server for a lookup by the number of nodes
//	F5  how long lookups take in the first minute of an outage
//	F6  lies that clients got by the number of liars, with one word and with
//	    two enough
//
// The load is 2,000 lookups a day of each of 200 nodes, after three days in which the name
// server answered. Groups of up to 50 have 4,000 lookups a day and node, those of 1000 and
// more 482, and the largest only one day before. It takes a quarter of an hour, and 3 GB;
// -quick takes 20 nodes after half a day, to see whether all works, and its figures mean
// nothing.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func main() {
	dir := flag.String("o", "", "`folder` to write to")
	quick := flag.Bool("quick", false, "fewer nodes and hours")
	most := flag.Int("most", 10_000, "nodes of the largest `group`, which takes half of the time")
	only := flag.String("only", "", "`list` of figures to make, separated by commas")
	flag.Parse()
	if *dir == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: figures [-quick] [-most N] [-only F1,F2,...] -o FOLDER")
		os.Exit(2)
	}
	if err := run(*dir, *quick, *most, *only); err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

// run makes the figures.
func run(dir string, quick bool, most int, only string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	b := newBench(quick, most)
	var made []string
	for _, f := range figures {
		if only != "" && !strings.Contains(","+only+",", ","+f.name+",") {
			continue
		}
		start := time.Now()
		b.figure, made = f.name, append(made, f.name)
		lines := f.make(b)
		if err := f.write(filepath.Join(dir, f.name), lines); err != nil {
			return fmt.Errorf("write %s: %w", f.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %s (%s)\n", f.name, f.title, time.Since(start).Round(time.Second))
	}
	table := filepath.Join(dir, "table.tsv")
	old, err := os.ReadFile(table)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.WriteFile(table, []byte(b.table(string(old), made)), 0o644)
}

// A figure is one to be drawn.
type figure struct {
	name  string
	title string
	x, y  string // what is along the axes
	log   bool   // the horizontal axis is logarithmic
	make  func(*bench) []line
}

// A line is one of a figure, with a point for each x.
type line struct {
	name string
	x, y []float64
}

// add adds a point.
func (l *line) add(x, y float64) { l.x, l.y = append(l.x, x), append(l.y, y) }

var figures = []figure{
	{"F1", "Lookups answered since the name server died", "minutes", "%", true, (*bench).outage},
	{"F2", "Lookups answered, 15 to 60 minutes after", "% of nodes removed", "%", false, (*bench).removed},
	{"F3", "Packets in the local network for a lookup", "nodes", "packets", true, (*bench).packets},
	{"F4", "Questions to the name server for a lookup", "nodes", "questions", true, (*bench).upstream},
	{"F5", "Lookups done in the first minute of an outage", "milliseconds", "% of lookups", true, (*bench).times},
	{"F6", "Lies that clients got, first hour", "liars among 50 nodes", "% of lookups", false, (*bench).lies},
}
