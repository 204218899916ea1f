package probe

import (
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"namecast/lib/key"
	"namecast/lib/ndb"
	"namecast/lib/rr"
)

// A Probe is a probe made of the words that describe it.
type Probe struct {
	Name    string  // what it looks at, in words: "dns udp 192.0.2.53:53"
	Look    Func    // nil for a counter
	Counter *Metric // one that is only read, for progress
	// Questions are those of DNS.
	Questions []Question
}

// kinds make probes of words. Each takes the words that it knows.
var kinds = map[string]func(*words) (Probe, error){
	"dns":     parseDNS,
	"update":  parseUpdate,
	"http":    parseHTTP,
	"metric":  parseMetric,
	"counter": parseCounter,
	"command": parseCommand,
}

// Parse makes a probe of a kind:
//
//	dns      at=ADDR:PORT [tcp] name=NAME [type=TYPE] [rcode=RCODE] [expect=DATA]... [name=...]...
//	update   key=FILE at=ADDR:PORT [server=HOST:PORT] [service=NAME] [owner=NAME]
//	http     url=URL
//	metric   url=URL metric=NAME [min=N] [max=N] [rises]
//	counter  url=URL metric=NAME
//	command  run=COMMAND
//
// What follows a name is about that name: the type is SOA if it is not given, the
// rcode NOERROR; NODATA is that of a name without such records. Of expect the data
// is in presentation form, and all records of the set have to be there. The errors
// wrap ErrConfig, or are those of reading the key.
func Parse(kind string, record ndb.Record) (Probe, error) {
	parse := kinds[kind]
	if parse == nil {
		return Probe{}, fmt.Errorf("%w of kind %q", ErrConfig, kind)
	}
	w := &words{ndb.Words{Record: record}}
	p, err := parse(w)
	if err != nil {
		return p, err
	}
	if err := w.Left(QuestionWords...); err != nil {
		return p, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return p, nil
}

// words are those of a line about a probe.
type words struct{ ndb.Words }

// QuestionWords are the words about names. They may stand in a line several times.
var QuestionWords = []string{"name", "type", "rcode", "expect"}

// addr takes an address with its port.
func (w *words) addr(name string) (netip.AddrPort, error) {
	text := w.Take(name)
	at, err := netip.ParseAddrPort(text)
	if err != nil || at.Port() == 0 {
		return at, fmt.Errorf("%w: %s=%q is not ADDRESS:PORT", ErrConfig, name, text)
	}
	return at, nil
}

func parseDNS(w *words) (p Probe, err error) {
	d := &DNS{TCP: w.Has("tcp")}
	if d.At, err = w.addr("at"); err != nil {
		return p, err
	}
	w.Known(QuestionWords...)
	if d.Questions, err = ParseQuestions(w.Record); err != nil {
		return p, err
	}
	p.Name, p.Look, p.Questions = "dns udp "+d.At.String(), d.Look, d.Questions
	if d.TCP {
		p.Name = "dns tcp " + d.At.String()
	}
	return p, nil
}

// ParseQuestions reads the words about names, which belong together by their order,
// and passes over others. At least one name has to be there.
func ParseQuestions(record ndb.Record) (list []Question, err error) {
	var expect []string
	for i := 0; i <= len(record) && err == nil; i++ {
		if (i == len(record) || record[i].Name == "name") && len(list) > 0 {
			if err = list[len(list)-1].expect(expect); err != nil {
				break
			}
			expect = nil
		}
		if i == len(record) || !slices.Contains(QuestionWords, record[i].Name) {
			continue
		}
		value := record[i].Value
		if record[i].Name == "name" {
			list = append(list, Question{Name: dns.Fqdn(value), Type: dns.TypeSOA})
			if _, err = rr.ParseName(value); err != nil || value == "" {
				err = fmt.Errorf("%w: name=%q is no name", ErrConfig, value)
			}
			continue
		}
		if len(list) == 0 {
			return nil, fmt.Errorf("%w: %s= before any name=", ErrConfig, record[i].Name)
		}
		if record[i].Name == "expect" {
			expect = append(expect, value)
			continue
		}
		err = list[len(list)-1].set(record[i].Name, value)
	}
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%w: no name=", ErrConfig)
	}
	return list, err
}

// set reads the type or the rcode.
func (q *Question) set(word, value string) error {
	if word == "type" {
		t, err := rr.ParseType(value)
		if err != nil {
			return fmt.Errorf("%w: type=%q: %w", ErrConfig, value, err)
		}
		q.Type = uint16(t)
		return nil
	}
	if strings.EqualFold(value, "NODATA") {
		q.NoData = true
		return nil
	}
	rcode, ok := dns.StringToRcode[strings.ToUpper(value)]
	if !ok {
		return fmt.Errorf("%w: rcode=%q is none", ErrConfig, value)
	}
	q.Rcode = rcode
	return nil
}

// expect reads the data that the set should have.
func (q *Question) expect(list []string) error {
	if len(list) > 0 && (q.Rcode != dns.RcodeSuccess || q.NoData) {
		return fmt.Errorf("%w: %s has expect=, and is not to be there", ErrConfig, q.Name)
	}
	for _, text := range list {
		d, err := rr.ParseData(rr.Type(q.Type), text)
		if err != nil {
			return fmt.Errorf("%w: expect=%q: %w", ErrConfig, text, err)
		}
		set := rr.Set{Type: rr.Type(q.Type), Data: []rr.Data{d}}
		records, err := set.Records(q.Name)
		if err != nil {
			return fmt.Errorf("%w: expect=%q: %w", ErrConfig, text, err)
		}
		q.Expect = append(q.Expect, records...)
	}
	return nil
}

func parseUpdate(w *words) (p Probe, err error) {
	u := &Update{Server: w.Take("server")}
	if u.At, err = w.addr("at"); err != nil {
		return p, err
	}
	path, service, owner := w.Take("key"), w.Take("service"), w.Take("owner")
	file, err := key.Load(path)
	if err != nil {
		return p, err
	}
	if file.Secret == nil || file.Public.Version() != 1 {
		return p, fmt.Errorf("%w: key %q: not a secret Ed25519 key", ErrConfig, path)
	}
	u.Key, u.Account = file.Secret, file.Account
	if u.Account == "" {
		u.Account = file.Public.Account()
	}
	if u.Server == "" {
		u.Server = file.Server
	}
	if service == "" {
		service = file.Service
	}
	if u.Server == "" || service == "" {
		return p, fmt.Errorf("%w: neither the line nor key %q has server= and service=", ErrConfig, path)
	}
	if u.Service, err = rr.ParseName(service); err != nil {
		return p, fmt.Errorf("%w: service=%q: %w", ErrConfig, service, err)
	}
	if owner == "" {
		owner = "nc-watch"
	}
	if u.Owner, err = rr.ParseName(owner); err != nil || u.Owner == "" {
		return p, fmt.Errorf("%w: owner=%q is no name", ErrConfig, owner)
	}
	return Probe{Name: "update " + u.Server, Look: u.Look}, nil
}

// url takes the address of a page.
func (w *words) url() (string, error) {
	text := w.Take("url")
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("%w: url=%q is not one of http", ErrConfig, text)
	}
	return text, nil
}

func parseHTTP(w *words) (Probe, error) {
	text, err := w.url()
	return Probe{Name: "http " + text, Look: HTTP(text)}, err
}

func parseMetric(w *words) (p Probe, err error) {
	m := &Metric{Name: w.Take("metric"), Rises: w.Has("rises")}
	if m.URL, err = w.url(); err != nil {
		return p, err
	}
	if m.Name == "" {
		return p, fmt.Errorf("%w: no metric=", ErrConfig)
	}
	if m.Min, err = w.number("min", math.Inf(-1)); err != nil {
		return p, err
	}
	m.Max, err = w.number("max", math.Inf(1))
	return Probe{Name: "metric " + m.Name, Look: m.Look}, err
}

func parseCounter(w *words) (p Probe, err error) {
	m := &Metric{Name: w.Take("metric")}
	if m.URL, err = w.url(); err == nil && m.Name == "" {
		err = fmt.Errorf("%w: no metric=", ErrConfig)
	}
	return Probe{Name: "counter " + m.Name, Counter: m}, err
}

// number takes a number, or gives what holds without it.
func (w *words) number(name string, without float64) (float64, error) {
	text := w.Take(name)
	if text == "" {
		return without, nil
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) {
		return 0, fmt.Errorf("%w: %s=%q is no number", ErrConfig, name, text)
	}
	return n, nil
}

func parseCommand(w *words) (Probe, error) {
	command := w.Take("run")
	if command == "" {
		return Probe{}, fmt.Errorf("%w: no run=", ErrConfig)
	}
	return Probe{Name: "command " + line([]byte(command)), Look: Command(command)}, nil
}
