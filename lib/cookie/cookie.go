// Package cookie makes and checks the server's side of DNS cookies (RFC 7873) in
// the form that all servers make alike (RFC 9018): nodes that share a secret,
// also with BIND, Knot DNS and NSD, take each other's cookies.
//
// A cookie proves that its sender gets what is sent to its address, so the
// answers to it reflect to nobody. The package is pure: secrets, time and
// addresses are given to it.
package cookie

import (
	"bufio"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
)

// Sizes, in octets. A server cookie of other servers may have 8 to 32.
const (
	ClientSize = 8
	ServerSize = 16
	Size       = ClientSize + ServerSize // of the option in every response
	maxSize    = ClientSize + 32
)

// How long a cookie is good (RFC 9018 section 4.3).
const (
	lifetime = time.Hour        // after it was made
	renewal  = 30 * time.Minute // an older one is replaced by a new one
	early    = 5 * time.Minute  // how far another node's clock may be ahead
)

// Reasons why secrets are refused.
var (
	ErrSecret = errors.New("bad cookie secret")   // not 32 hexadecimal digits
	ErrNumber = errors.New("one or two secrets")  // none, or more than two
	errSize   = errors.New("want 16 octets, hex") // wrapped in ErrSecret
)

// A Secret is the key that the cookies of a service are made with.
type Secret [16]byte

// Secrets are those in force: cookies are made with the first; those made with
// the second, if there is one, are taken as well. So a secret is changed at all
// nodes without a client losing its cookie (RFC 9018 section 5): first the new
// one is added as the second, then the two change places, then the old one goes.
type Secrets struct {
	list []Secret
}

// NewSecrets makes them of one or two.
func NewSecrets(first Secret, second ...Secret) Secrets {
	return Secrets{append([]Secret{first}, second...)}
}

// Active is the secret that cookies are made with.
func (s Secrets) Active() Secret { return s.list[0] }

// ReadSecrets reads one or two lines of 32 hexadecimal digits. Blank lines and
// lines that begin with "#" are ignored.
func ReadSecrets(r io.Reader) (Secrets, error) {
	var s Secrets
	lines := bufio.NewScanner(io.LimitReader(r, 1<<16))
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		var one Secret
		if b, err := hex.DecodeString(text); err != nil || copy(one[:], b) < len(one) || len(b) > len(one) {
			return Secrets{}, fmt.Errorf("line %d: %w: %w", n, ErrSecret, errSize)
		}
		s.list = append(s.list, one)
	}
	if err := lines.Err(); err != nil {
		return Secrets{}, err
	}
	if len(s.list) < 1 || len(s.list) > 2 {
		return Secrets{}, fmt.Errorf("%w, not %d", ErrNumber, len(s.list))
	}
	return s, nil
}

// A Status is what a COOKIE option of a query says.
type Status int

// The statuses, from the least proof to the most.
const (
	None      Status = iota // no option
	Malformed               // of a length that no cookie has: FORMERR (RFC 7873 section 5.2.2)
	New                     // a client cookie alone
	Bad                     // a server cookie that is forged, too old or of another secret
	Good                    // a server cookie made here for this client
)

// String names the status as metrics do.
func (s Status) String() string {
	return [...]string{"none", "malformed", "new", "bad", "good"}[s]
}

// Check reads the data of a query's COOKIE option, and gives the data of the
// response's unless the status is Malformed. The client's address is the one
// the query came from, IPv4 in its own form.
func (s Secrets) Check(option []byte, client netip.Addr, now time.Time) (reply [Size]byte, status Status) {
	if n := len(option); n != ClientSize && (n < ClientSize+8 || n > maxSize) {
		return reply, Malformed
	}
	status = New
	if len(option) > ClientSize {
		status = Bad
	}
	if len(option) == Size {
		for i := range s.list {
			age, ok := s.list[i].verify(option, client, now)
			if !ok {
				continue
			}
			if status = Good; i == 0 && age < renewal {
				return [Size]byte(option), Good
			}
		}
	}
	return s.Make([ClientSize]byte(option), client, now), status
}

// Make makes the cookie for a client's.
func (s Secrets) Make(client [ClientSize]byte, from netip.Addr, now time.Time) (cookie [Size]byte) {
	copy(cookie[:], client[:])
	cookie[ClientSize] = 1 // version
	binary.BigEndian.PutUint32(cookie[ClientSize+4:], uint32(now.Unix()))
	hash := s.list[0].hash(cookie[:], from)
	copy(cookie[Size-len(hash):], hash[:])
	return cookie
}

// verify checks one cookie under one secret and tells its age. Times are serial
// numbers (RFC 1982), which go on after the year 2106.
func (s *Secret) verify(cookie []byte, from netip.Addr, now time.Time) (age time.Duration, ok bool) {
	made := binary.BigEndian.Uint32(cookie[ClientSize+4:])
	age = time.Duration(int32(uint32(now.Unix())-made)) * time.Second
	if cookie[ClientSize] != 1 || age > lifetime || age < -early {
		return age, false
	}
	hash := s.hash(cookie, from)
	return age, subtle.ConstantTimeCompare(hash[:], cookie[Size-len(hash):]) == 1
}

// hash is over all of the cookie before the hash, as it came, and the address
// (RFC 9018 section 4.4).
func (s *Secret) hash(cookie []byte, from netip.Addr) [8]byte {
	var in [ClientSize + 8 + 16]byte
	msg := append(in[:0], cookie[:ClientSize+8]...)
	if a := from.As16(); from.Is4() || from.Is4In6() {
		msg = append(msg, a[12:]...)
	} else {
		msg = append(msg, a[:]...)
	}
	return sipHash((*[16]byte)(s), msg)
}
