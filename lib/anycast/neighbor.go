package anycast

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"namecast/lib/bfd"
	"namecast/lib/ndb"
	"namecast/lib/private"
	"namecast/lib/speaker"
)

// maxInterval bounds the interval of BFD, which is for fractions of a second.
const maxInterval = 10 * time.Second

func (r *reader) readNeighbor(value string, rest ndb.Record) error {
	n := speaker.Neighbor{Hold: defaultHold, Port: 179}
	if err := address(&n.Addr)(value); err != nil {
		return err
	}
	var interval time.Duration
	var multiplier int
	hold, file := int(defaultHold/time.Second), ""
	err := set(rest, map[string]setter{
		"as":             number(&n.AS, 1, 1<<32-2),
		"port":           number(&n.Port, 1, 65535),
		"password-file":  text(&file),
		"gtsm":           flag(&n.GTSM),
		"multihop":       number(&n.Multihop, 2, speaker.MaxHops),
		"hold":           number(&hold, uint64(speaker.MinHold/time.Second), uint64(speaker.MaxHold/time.Second)),
		"source":         address(&n.Source),
		"next-hop6":      address(&n.NextHop6),
		"max-prefixes":   number(&n.MaxPrefixes, 1, 10_000_000),
		"bfd":            duration(&interval, bfd.MinInterval, maxInterval),
		"bfd-multiplier": number(&multiplier, 1, 255),
	})
	if err != nil {
		return err
	}
	n.Hold = time.Duration(hold) * time.Second
	if n.Password, err = r.password(file); err != nil {
		return err
	}
	if err := n.Check(); err != nil {
		return err
	}
	if multiplier != 0 && interval == 0 {
		return errors.New("bfd-multiplier= needs bfd=")
	}
	if interval != 0 {
		r.bfd = append(r.bfd, bfdSession(n, interval, multiplier))
	}
	r.speaker.Neighbors = append(r.speaker.Neighbors, n)
	return nil
}

func bfdSession(n speaker.Neighbor, interval time.Duration, multiplier int) bfd.Session {
	return bfd.Session{Peer: n.Addr, Local: n.Source, Multihop: n.Multihop > 0, Tx: interval, Rx: interval, Multiplier: multiplier}
}

// password reads a file with one line, which only its owner may read.
func (r *reader) password(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	b, err := private.Load(r.path(file))
	if err != nil {
		return "", fmt.Errorf("password-file %q: %w", file, cause(err))
	}
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
	if len(b) == 0 || bytes.ContainsAny(b, "\n\x00") {
		return "", fmt.Errorf("password-file %q: not one line with a password", file)
	}
	return string(b), nil
}
