package packet

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"golang.org/x/crypto/chacha20poly1305"

	"namecast/lib/ndb"
)

// ErrKeys: the text is not a group's key file.
var ErrKeys = errors.New("bad group key")

// Limits of a key file.
const (
	KeySize     = 32 // octets of a key
	MaxKeys     = 4  // of a group; each is tried only on datagrams that name it
	MaxName     = 63 // octets of a group's name
	maxKeysText = 1 << 16
)

// Keys are the keys of a group, the newest first. They print without their secrets.
type Keys struct {
	name string
	keys []groupKey
}

// A groupKey is one key and what is made from it.
type groupKey struct {
	secret [KeySize]byte
	id     [2]byte
	mac    []byte
	v6, v4 netip.Addr
	aead   cipher.AEAD
}

// NewKey makes the text of the key file of a new group with one key of 32 octets from
// random. The name is 1 to 63 octets of a-z, 0-9 and inner hyphens.
func NewKey(name string, random io.Reader) (text []byte, err error) {
	k, err := (&Keys{name: name}).Next(random)
	if err != nil {
		return nil, err
	}
	return k.Text(), nil
}

// Next gives the keys with a new one in front, and no more than MaxKeys: the oldest is
// left out.
func (k *Keys) Next(random io.Reader) (*Keys, error) {
	if !isGroupName(k.name) {
		return nil, fmt.Errorf("%w: name %q is not 1 to %d of a-z, 0-9 and inner hyphens", ErrKeys, k.name, MaxName)
	}
	var secret [KeySize]byte
	if _, err := io.ReadFull(random, secret[:]); err != nil {
		return nil, fmt.Errorf("make key of group %s: %w", k.name, err)
	}
	made, err := newGroupKey(k.name, secret)
	if err != nil {
		return nil, err
	}
	next := &Keys{k.name, append([]groupKey{made}, k.keys...)}
	next.keys = next.keys[:min(len(next.keys), MaxKeys)]
	return next, nil
}

// ParseKeys reads a key file. Errors name the line, never a secret, and are ErrKeys.
func ParseKeys(text []byte) (*Keys, error) {
	if len(text) > maxKeysText {
		return nil, fmt.Errorf("%w: more than %d octets", ErrKeys, maxKeysText)
	}
	lines, err := ndb.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	k := new(Keys)
	for _, l := range lines {
		if err := k.add(l.Record); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrKeys, l.Number, err)
		}
	}
	if len(k.keys) == 0 {
		return nil, fmt.Errorf("%w: no key", ErrKeys)
	}
	return k, nil
}

// add takes the key of one line, which is older than those there are.
func (k *Keys) add(r ndb.Record) error {
	w := ndb.Words{Record: r}
	name, text := w.Take("group"), w.Take("!key")
	if err := w.Left(); err != nil {
		return err
	}
	secret, err := base64.StdEncoding.Strict().DecodeString(text)
	switch {
	case !isGroupName(name):
		return fmt.Errorf("group=%q is not 1 to %d of a-z, 0-9 and inner hyphens", name, MaxName)
	case err != nil || len(secret) != KeySize:
		return fmt.Errorf("!key= is not base64 of %d octets", KeySize)
	case len(k.keys) > 0 && name != k.name:
		return fmt.Errorf("group=%s, and the first line has %s", name, k.name)
	case len(k.keys) == MaxKeys:
		return fmt.Errorf("more than %d keys", MaxKeys)
	}
	for _, old := range k.keys {
		if bytes.Equal(old.secret[:], secret) {
			return errors.New("the same key twice")
		}
	}
	made, err := newGroupKey(name, [KeySize]byte(secret))
	if err != nil {
		return err
	}
	k.name, k.keys = name, append(k.keys, made)
	return nil
}

// isGroupName tells whether a name may be a group's.
func isGroupName(name string) bool {
	if len(name) == 0 || len(name) > MaxName || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// newGroupKey makes from a secret what the package comment says.
func newGroupKey(name string, secret [KeySize]byte) (g groupKey, err error) {
	g.secret = secret
	expand := func(word string, size int) []byte {
		out, fault := hkdf.Key(sha256.New, secret[:], nil, "namecast group v1 "+word+" "+name, size)
		if fault != nil {
			err = fault
			return make([]byte, size)
		}
		return out
	}
	seal := expand("seal", chacha20poly1305.KeySize)
	g.mac = expand("mac", sha256.Size)
	copy(g.id[:], expand("id", len(g.id)))
	addr := expand("addr", 6)
	g.v4 = netip.AddrFrom4([4]byte{239, 255, addr[4] % 255, addr[5]})
	v6 := [16]byte{0: 0xff, 1: 0x12}
	binary.BigEndian.PutUint32(v6[12:], 1<<31|binary.BigEndian.Uint32(addr))
	g.v6 = netip.AddrFrom16(v6)
	if err == nil {
		g.aead, err = chacha20poly1305.NewX(seal)
	}
	if err != nil {
		return g, fmt.Errorf("make keys of group %s: %w", name, err)
	}
	return g, nil
}

// Text gives the form that ParseKeys reads. It holds the secrets.
func (k *Keys) Text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The key of the group %s; the same on every machine. Who has it is a member.\n", k.name)
	for _, g := range k.keys {
		b.WriteString(ndb.Record{
			{Name: "group", Value: k.name},
			{Name: "!key", Value: base64.StdEncoding.EncodeToString(g.secret[:])},
		}.String() + "\n")
	}
	return b.Bytes()
}

// Name is the group's name.
func (k *Keys) Name() string { return k.name }

// Len is how many keys there are, 1 to MaxKeys.
func (k *Keys) Len() int { return len(k.keys) }

// String tells the group and its addresses, and nothing secret.
func (k *Keys) String() string {
	v6, v4 := k.Group()
	return fmt.Sprintf("group=%s keys=%d v6=%v v4=%v", k.name, len(k.keys), v6, v4)
}

// Format implements fmt.Formatter: no verb prints a secret.
func (k *Keys) Format(f fmt.State, _ rune) { io.WriteString(f, k.String()) }

// Group gives the multicast addresses of the newest key.
func (k *Keys) Group() (v6, v4 netip.Addr) { return k.GroupOf(0) }

// GroupOf gives the multicast addresses of key i, 0 to Len()-1, the newest being 0.
func (k *Keys) GroupOf(i int) (v6, v4 netip.Addr) { return k.keys[i].v6, k.keys[i].v4 }

// Groups gives the multicast addresses of all keys: for each, from the newest on, that of
// IPv6 and that of IPv4.
func (k *Keys) Groups() []netip.Addr {
	var all []netip.Addr
	for _, g := range k.keys {
		all = append(all, g.v6, g.v4)
	}
	return all
}

// Mac is a hash of data that only members can compute (HMAC-SHA256 under the oldest key),
// another for each domain of use and each way to cut the data into parts. So it is the
// same on machines that have a new key already and on those that have not; while the
// oldest is taken from their files, it is another on those that are done.
func (k *Keys) Mac(domain string, data ...[]byte) (sum [32]byte) {
	h := hmac.New(sha256.New, k.keys[len(k.keys)-1].mac)
	var n [4]byte
	part := func(b []byte) {
		binary.BigEndian.PutUint32(n[:], uint32(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	part([]byte(domain))
	for _, b := range data {
		part(b)
	}
	h.Sum(sum[:0])
	return sum
}
