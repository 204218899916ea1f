package dnssec

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"namecast/lib/ndb"
)

// Reasons why a secret is refused.
var (
	// ErrSecret: the text is not a secret file.
	ErrSecret = errors.New("bad secret")
	// ErrEpochs: there would be more epochs than MaxEpochs.
	ErrEpochs = fmt.Errorf("more than %d epochs", MaxEpochs)
)

// Limits of a secret file.
const (
	SecretSize = 32      // octets of an epoch's secret
	MaxEpochs  = 4       // each one is a key and a signature in every DNSKEY answer
	maxFile    = 1 << 16 // octets
)

// An Epoch is the time of one set of keys. It prints without its secret.
type Epoch struct {
	Number uint32
	From   time.Time // when its keys are published
	secret [SecretSize]byte
}

// String tells the epoch without its secret.
func (e Epoch) String() string {
	return fmt.Sprintf("epoch=%d from=%s", e.Number, e.From.Format(time.RFC3339))
}

// Format implements fmt.Formatter: no verb prints the secret.
func (e Epoch) Format(f fmt.State, _ rune) { io.WriteString(f, e.String()) }

// A Secret is what all keys of a service are made from: one to MaxEpochs
// epochs, the oldest first.
type Secret struct{ epochs []Epoch }

// Epochs gives the epochs, the oldest first.
func (s Secret) Epochs() []Epoch { return slices.Clone(s.epochs) }

// NewSecret makes a secret of one epoch with 32 octets from random.
func NewSecret(random io.Reader, now time.Time) (Secret, error) {
	return Secret{}.Next(random, now)
}

// Next adds an epoch that is published at from, which must be later than that
// of the newest epoch there is.
func (s Secret) Next(random io.Reader, from time.Time) (Secret, error) {
	e := Epoch{Number: 1, From: from.UTC().Truncate(time.Second)}
	if n := len(s.epochs); n > 0 {
		if s.epochs[n-1].Number == 1<<32-1 {
			return Secret{}, fmt.Errorf("%w: no number follows %s", ErrSecret, s.epochs[n-1])
		}
		e.Number = s.epochs[n-1].Number + 1
	}
	if _, err := io.ReadFull(random, e.secret[:]); err != nil {
		return Secret{}, fmt.Errorf("make epoch %d: %w", e.Number, err)
	}
	next := Secret{append(slices.Clone(s.epochs), e)}
	return next, next.check()
}

// ReadSecret reads the text form. Errors name the line, and are ErrSecret.
func ReadSecret(r io.Reader) (Secret, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return Secret{}, err
	}
	if len(text) > maxFile {
		return Secret{}, fmt.Errorf("%w: more than %d octets", ErrSecret, maxFile)
	}
	lines, err := ndb.Parse(bytes.NewReader(text))
	if err != nil {
		return Secret{}, fmt.Errorf("%w: %w", ErrSecret, err)
	}
	var s Secret
	for _, l := range lines {
		e, err := parseEpoch(l.Record)
		if err != nil {
			return Secret{}, fmt.Errorf("%w: line %d: %w", ErrSecret, l.Number, err)
		}
		s.epochs = append(s.epochs, e)
	}
	slices.SortFunc(s.epochs, func(a, b Epoch) int { return cmp.Compare(a.Number, b.Number) })
	return s, s.check()
}

// parseEpoch reads one line. Its errors never hold the secret.
func parseEpoch(r ndb.Record) (e Epoch, err error) {
	for _, a := range r {
		if len(r.All(a.Name)) > 1 {
			return e, fmt.Errorf("%q is there twice", a.Name)
		}
		switch a.Name {
		case "epoch":
			n, err := strconv.ParseUint(a.Value, 10, 32)
			if err != nil || n == 0 {
				return e, fmt.Errorf("epoch=%q is not a number from 1 on", a.Value)
			}
			e.Number = uint32(n)
		case "from":
			t, err := time.Parse(time.RFC3339, a.Value)
			if err != nil || t.Unix() < 0 || t.Year() > 9999 {
				return e, fmt.Errorf("from=%q is not a time as 2006-01-02T15:04:05Z", a.Value)
			}
			e.From = t.UTC()
		case "!secret":
			b, err := base64.StdEncoding.DecodeString(a.Value)
			if err != nil || len(b) != SecretSize {
				return e, fmt.Errorf("!secret= is not base64 of %d octets", SecretSize)
			}
			copy(e.secret[:], b)
		default:
			return e, fmt.Errorf("unknown word %q", a.Name)
		}
	}
	for _, name := range []string{"epoch", "from", "!secret"} {
		if _, ok := r.Get(name); !ok {
			return e, fmt.Errorf("%s= is missing", name)
		}
	}
	return e, nil
}

// check holds the epochs against each other.
func (s Secret) check() error {
	if len(s.epochs) == 0 {
		return fmt.Errorf("%w: no epoch", ErrSecret)
	}
	if len(s.epochs) > MaxEpochs {
		return fmt.Errorf("%w: %w: take out the line of one that no parent zone names", ErrSecret, ErrEpochs)
	}
	for i, e := range s.epochs[1:] {
		switch old := s.epochs[i]; {
		case e.Number == old.Number:
			return fmt.Errorf("%w: epoch %d is there twice", ErrSecret, e.Number)
		case !e.From.After(old.From):
			return fmt.Errorf("%w: epoch %d is not from a later time than epoch %d", ErrSecret, e.Number, old.Number)
		case e.secret == old.secret:
			return fmt.Errorf("%w: epochs %d and %d have the same secret", ErrSecret, old.Number, e.Number)
		}
	}
	return nil
}

// Text gives the form that ReadSecret reads.
func (s Secret) Text() string {
	var b strings.Builder
	b.WriteString("# The secret that all DNSSEC keys of a service are made from; the same on every node.\n")
	for _, e := range s.epochs {
		b.WriteString(ndb.Record{
			{Name: "epoch", Value: strconv.FormatUint(uint64(e.Number), 10)},
			{Name: "from", Value: e.From.Format(time.RFC3339)},
			{Name: "!secret", Value: base64.StdEncoding.EncodeToString(e.secret[:])},
		}.String() + "\n")
	}
	return b.String()
}
