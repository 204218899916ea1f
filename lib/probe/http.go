package probe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxPage is the longest page that is read, in octets.
const maxPage = 4 << 20

// fresh asks on a new connection each time, straight, and follows nothing.
var fresh = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// get reads a page whose status has to be 200.
func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	r, err := fresh.Do(req)
	if err != nil {
		return nil, unreachable(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPage+1))
	switch {
	case err != nil:
		return nil, unreachable(err)
	case r.StatusCode != http.StatusOK:
		return nil, wrong("status %d: %s", r.StatusCode, line(body))
	case len(body) > maxPage:
		return nil, wrong("more than %d octets", maxPage)
	}
	return body, nil
}

// unreachable makes an error of the network short.
func unreachable(err error) error {
	if Timeout(err) || errors.Is(err, context.Canceled) {
		return fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)
	}
	return plain(err)
}

// HTTP is a probe of a page that answers 200, as a health check does.
func HTTP(url string) Func {
	return func(ctx context.Context) (string, error) {
		body, err := get(ctx, url)
		return line(body), err
	}
}

// A Metric is one number on a page in the text format of Prometheus.
type Metric struct {
	URL      string
	Name     string  // with its labels, as the page has it
	Min, Max float64 // both are well
	// Rises has the probe fail when the number is not more than at the look
	// before.
	Rises bool
	last  float64
	seen  bool
}

// Read reads the number.
func (m *Metric) Read(ctx context.Context) (float64, error) {
	page, err := get(ctx, m.URL)
	if err != nil {
		return 0, err
	}
	value, ok := find(page, m.Name)
	if !ok {
		return 0, wrong("no metric %s", m.Name)
	}
	return value, nil
}

// Look is the probe's Func.
func (m *Metric) Look(ctx context.Context) (string, error) {
	value, err := m.Read(ctx)
	if err != nil {
		return "", err
	}
	last, seen := m.last, m.seen
	m.last, m.seen = value, true
	switch {
	case math.IsNaN(value) || value < m.Min || value > m.Max:
		return "", wrong("%s is %v, not within %v to %v", m.Name, value, m.Min, m.Max)
	case m.Rises && seen && value <= last:
		return "", wrong("%s stands at %v", m.Name, value)
	}
	return fmt.Sprintf("%s is %v", m.Name, value), nil
}

// find finds a number on a page of metrics by its name and labels.
func find(page []byte, name string) (float64, bool) {
	for l := range bytes.Lines(page) {
		rest, ok := strings.CutPrefix(string(l), name)
		if !ok || rest == "" || rest[0] != ' ' && rest[0] != '\t' {
			continue
		}
		fields := strings.Fields(rest) // a time stamp may follow the value
		if len(fields) == 0 || len(fields) > 2 {
			return 0, false
		}
		value, err := strconv.ParseFloat(fields[0], 64)
		return value, err == nil
	}
	return 0, false
}
