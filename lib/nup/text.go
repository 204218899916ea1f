package nup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"namecast/lib/key"
	"namecast/lib/rr"
)

// DefaultTTL, in seconds, is that of a line of update text without one.
const DefaultTTL = 3600

// maxLine is the longest line of update text, in octets.
const maxLine = 1 << 20

// An Update is what an update text says: groups of elements, each group one
// atomic request. There are no empty groups.
type Update struct {
	Groups   [][]Element
	Warnings []Warning
}

// A Warning is something in a line that is not wrong but hardly meant.
type Warning struct {
	Line int // counted from 1
	Text string
}

// A LineError says which line of an update text is wrong, and how.
type LineError struct {
	Line int // counted from 1
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap gives the cause.
func (e *LineError) Unwrap() error { return e.Err }

// ParseText reads update text whose requests will be of the version. newKey
// gets the secret key in the file that a "rekey" line names; if it is nil such
// lines are refused. The error is a *LineError, or that of r.
func ParseText(r io.Reader, version int, newKey func(path string) (*key.Secret, error)) (*Update, error) {
	p := textParser{version: version, newKey: newKey}
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 4096), maxLine)
	for s.Scan() {
		p.line++
		line := strings.TrimSuffix(s.Text(), "\r")
		if p.line == 1 {
			line = strings.TrimPrefix(line, "\uFEFF") // some editors' signature of UTF-8
		}
		if err := p.parse(line); err != nil {
			return nil, &LineError{p.line, err}
		}
	}
	if err := s.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return nil, &LineError{p.line + 1, fmt.Errorf("longer than %d octets", maxLine)}
		}
		return nil, fmt.Errorf("read update: %w", err)
	}
	p.send()
	return &p.out, nil
}

// A textParser reads one update text.
type textParser struct {
	version int
	newKey  func(path string) (*key.Secret, error)
	out     Update

	line    int
	group   []Element
	size    int            // octets that the group takes at least
	sets    map[setKey]int // line on which an RRset of the group began
	open    setKey         // the RRset that the next line may go on with
	rekeyed int            // line of the rekey, 0 before it
}

// A setKey tells apart the RRsets that several lines of a group spell out.
type setKey struct {
	op    Op
	owner rr.Name
	rtype rr.Type
}

// parse reads one line.
func (p *textParser) parse(line string) error {
	words, err := lex(line)
	if err != nil || len(words) == 0 {
		return err
	}
	verb, args := strings.ToLower(string(words[0])), words[1:]
	if verb == "send" {
		if len(args) > 0 {
			return fmt.Errorf(`unexpected %q after "send"`, args[0])
		}
		p.send()
		return nil
	}
	if p.rekeyed > 0 && len(p.group) == 0 {
		return fmt.Errorf("nothing can follow the rekey of line %d: from there on the new key signs", p.rekeyed)
	}
	e, err := p.element(verb, args)
	if err != nil {
		return err
	}
	if err := e.check(p.version); err != nil {
		return err
	}
	return p.join(e)
}

// send ends the group.
func (p *textParser) send() {
	if len(p.group) > 0 {
		p.out.Groups = append(p.out.Groups, p.group)
	}
	p.group, p.size, p.sets, p.open = nil, 0, nil, setKey{}
}

func (p *textParser) warn(format string, a ...any) {
	p.out.Warnings = append(p.out.Warnings, Warning{p.line, fmt.Sprintf(format, a...)})
}

// element reads the words after the verb.
func (p *textParser) element(verb string, args []token) (Element, error) {
	switch verb {
	case "add":
		return p.record(OpAdd, args)
	case "delete":
		return p.record(OpDelete, args)
	case "replace":
		return p.record(OpReplace, args)
	case "require":
		return p.require(args)
	case "validate":
		return p.validate(args)
	case "rekey":
		return p.rekey(args)
	}
	return Element{}, fmt.Errorf("unknown word %q: want add, delete, replace, require, validate, rekey or send", verb)
}

// require reads a prerequisite.
func (p *textParser) require(args []token) (Element, error) {
	want := errors.New(`"require" wants "exists" or "absent" and a name`)
	if len(args) == 0 {
		return Element{}, want
	}
	switch strings.ToLower(string(args[0])) {
	case "exists":
		return p.record(OpExists, args[1:])
	case "absent":
		return p.record(OpAbsent, args[1:])
	}
	return Element{}, fmt.Errorf("%w, not %q", want, args[0])
}

// validate reads a claim of a domain.
func (p *textParser) validate(args []token) (Element, error) {
	if len(args) < 2 || len(args) > 3 {
		return Element{}, errors.New(`"validate" wants a domain, an e-mail address and a TTL`)
	}
	e := Element{Op: OpValidate, TTL: DefaultTTL}
	var err error
	if e.Owner, err = parseName(strings.TrimSuffix(string(args[0]), ".")); err != nil {
		return e, err
	}
	if e.Owner == "" {
		return e, fmt.Errorf("bad domain %q", args[0])
	}
	if e.Contact, err = parseMail(args[1].text()); err != nil {
		return e, err
	}
	if len(args) == 3 {
		e.TTL, err = parseTTL(string(args[2]))
	}
	return e, err
}

// parseMail reads an e-mail address; its domain may be international.
func parseMail(s string) (string, error) {
	local, domain, ok := strings.Cut(s, "@")
	if !ok {
		return "", fmt.Errorf("bad e-mail address %q", s)
	}
	domain, err := toASCII(domain)
	if err != nil {
		return "", fmt.Errorf("bad e-mail address %q: %w", s, err)
	}
	mail := local + "@" + domain
	if _, err := rr.ParseMailbox(mail); err != nil {
		return "", fmt.Errorf("bad e-mail address %q", s)
	}
	return mail, nil
}

// rekey reads the move to the key in a file.
func (p *textParser) rekey(args []token) (Element, error) {
	e := Element{Op: OpRekey}
	switch {
	case p.version == 0:
		return e, e.check(0)
	case len(args) != 1:
		return e, errors.New(`"rekey" wants the file of the new key`)
	case p.newKey == nil:
		return e, errors.New(`"rekey" is not possible here`)
	case p.rekeyed > 0:
		return e, fmt.Errorf("second rekey; the first is on line %d", p.rekeyed)
	}
	secret, err := p.newKey(args[0].text())
	if err != nil {
		return e, err
	}
	if secret.Public().Version() != p.version {
		return e, fmt.Errorf("new key %q is not of the kind of the old", args[0].text())
	}
	p.rekeyed = p.line
	e.NewSecret = secret
	return e, nil
}

// join puts the element into the group. Lines that spell out one RRset, one
// record each, become one element; they must follow one another.
func (p *textParser) join(e Element) error {
	for _, d := range e.Data {
		p.size += 2 + len(d)
	}
	if p.size > MaxPacket {
		return fmt.Errorf("the request that begins above is %w", ErrTooLarge)
	}
	k := setKey{e.Op, e.Owner.Lower(), e.Type}
	spells := e.Op == OpReplace || e.Op == OpExists && len(e.Data) > 0
	if !spells {
		p.open = setKey{}
		p.group = append(p.group, e)
		return nil
	}
	if p.open != k {
		if line, ok := p.sets[k]; ok {
			return fmt.Errorf("%s %s again: line %d began this RRset; its lines must follow one another", e.Owner, e.Type, line)
		}
		if p.sets == nil {
			p.sets = map[setKey]int{}
		}
		p.sets[k], p.open = p.line, k
		p.group = append(p.group, e)
		return nil
	}
	last := &p.group[len(p.group)-1]
	if last.TTL != e.TTL {
		return fmt.Errorf("TTL %d, but %d on line %d: the records of an RRset share one TTL", e.TTL, last.TTL, p.sets[k])
	}
	for _, d := range last.Data {
		if d.Equal(e.Data[0], e.Type) {
			p.warn("the same record again")
			return nil
		}
	}
	last.Data = append(last.Data, e.Data[0])
	return nil
}

// check says in words why a version cannot carry the element or a node would
// refuse it for itself.
func (e *Element) check(version int) error {
	if e.Type != 0 {
		if err := e.Type.Hostable(); err != nil {
			return err
		}
	}
	if version != 0 {
		return nil
	}
	switch e.Op {
	case OpAdd, OpDelete, OpValidate:
		_, err := e.toV0()
		return err
	}
	return fmt.Errorf("%q: %w", e.verb(), errNotV0)
}
