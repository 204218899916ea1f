package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/miekg/dns"
)

// dnsperf loads the servers with a generator that others wrote, once: ratios
// should be as with this one.
func (b *bench) dnsperf(q *questions, servers []*server) error {
	program, err := (&kind{program: "dnsperf"}).lookup()
	if errors.Is(err, errMissing) {
		b.say("dnsperf is not installed: cross-check skipped")
		return nil
	}
	file := filepath.Join(b.dir, "questions")
	if err := writeQuestions(file, q); err != nil {
		return err
	}
	for _, s := range servers {
		if s.kind.noZone || b.ctx.Err() != nil {
			continue
		}
		pids := s.family()
		before := cpuTime(pids)
		out, err := run(program, "-s", "127.0.0.1", "-p", strconv.Itoa(int(s.dns.Port())), "-d", file,
			"-l", strconv.Itoa(int(max(1, b.measure.Seconds()))), "-c", strconv.Itoa(sockets), "-q", strconv.Itoa(sockets*window), "-T", "1", "-O", "suppress=timeout")
		if err != nil {
			return fmt.Errorf("cross-check %s: %w", s.kind.name, err)
		}
		used := cpuTime(pids) - before
		done, rate, lost := dnsperfFigure(out, "Queries completed"), dnsperfFigure(out, "Queries per second"), dnsperfFigure(out, "Queries lost")
		b.table.add(cell{workDNSPerf, s.kind.name, "rate"}, rate)
		b.table.add(cell{workDNSPerf, s.kind.name, "cpu"}, micros(used)/max(done, 1))
		b.table.add(cell{workDNSPerf, s.kind.name, "lost"}, lost)
	}
	return nil
}

// dnsperfFigure finds a figure in what dnsperf prints; 0 if there is none.
func dnsperfFigure(out, what string) float64 {
	m := regexp.MustCompile(regexp.QuoteMeta(what) + `:\s+([0-9.]+)`).FindStringSubmatch(out)
	if m == nil {
		return 0
	}
	v, _ := strconv.ParseFloat(m[1], 64) // the pattern lets little else through
	return v
}

// writeQuestions writes the questions as dnsperf reads them.
func writeQuestions(path string, q *questions) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write questions: %w", err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	for _, x := range q.list {
		var m dns.Msg
		if err := m.Unpack(q.wire[x.start:x.end]); err != nil {
			return fmt.Errorf("write questions: %w", err)
		}
		fmt.Fprintf(w, "%s %s\n", m.Question[0].Name, dns.TypeToString[m.Question[0].Qtype])
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write questions: %w", err)
	}
	return f.Close()
}
