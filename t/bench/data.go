package main

import (
	"bufio"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"sync"
)

// domain is the service's base domain, and the one zone of the peers.
const domain = "bench.example"

const (
	recordTTL = 3600
	perUser   = 4 // records, each at a name of its own
)

// The names of an account, below its own, and their types. The apex and www
// have an IPv4 address, v6 and home an IPv6 address.
var owners = [perUser]struct {
	label string
	qtype uint16
}{{"", typeA}, {"www", typeA}, {"v6", typeAAAA}, {"home", typeAAAA}}

const (
	typeA    = 1
	typeAAAA = 28
)

// A dataset is what every server is given: accounts with four records each.
type dataset struct {
	accounts []string // their names, one label each
	keys     [][ed25519.PublicKeySize]byte
}

// newDataset makes the keys and names of n accounts, on every processor that
// this process may use.
func newDataset(n int) *dataset {
	d := &dataset{accounts: make([]string, n), keys: make([][ed25519.PublicKeySize]byte, n)}
	var parts sync.WaitGroup
	stride := runtime.GOMAXPROCS(0)
	for first := range stride {
		parts.Go(func() {
			for i := first; i < n; i += stride {
				public := accountKey(i).Public().(ed25519.PublicKey)
				d.keys[i] = [ed25519.PublicKeySize]byte(public)
				d.accounts[i] = accountName(public)
			}
		})
	}
	parts.Wait()
	return d
}

func (d *dataset) records() int { return perUser * len(d.accounts) }

// accountKey is the key of the i-th account: the same in every run.
func accountKey(i int) ed25519.PrivateKey {
	seed := sha256.Sum256(fmt.Appendf(nil, "namecast bench account %d", i))
	return ed25519.NewKeyFromSeed(seed[:])
}

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// accountName is what the service calls the account of a key.
func accountName(k ed25519.PublicKey) string {
	h := sha256.Sum256(keyField(k))
	return base32Lower.EncodeToString(h[:20])
}

// address is the data of one record of an account. Versions less than 2^24 apart
// are different addresses: an update that changes nothing costs a server nothing.
func address(account, version int, qtype uint16) []byte {
	const odd = 7919
	if qtype == typeA {
		b := binary.BigEndian.AppendUint32(nil, uint32(account)+odd*uint32(version))
		b[0] = 10
		return b
	}
	b := [16]byte{0x20, 0x01, 0x0d, 0xb8}
	binary.BigEndian.PutUint32(b[8:], uint32(version))
	binary.BigEndian.PutUint32(b[12:], uint32(account))
	return b[:]
}

// typeName is the mnemonic of one of the two types here.
func typeName(qtype uint16) string {
	if qtype == typeA {
		return "A"
	}
	return "AAAA"
}

// fqdn is the absolute name of an owner of an account, without the last dot.
func fqdn(account, label string) string {
	if label != "" {
		label += "."
	}
	return label + account + "." + domain
}

// zoneHead is what nc-serve makes by itself.
const zoneHead = `$ORIGIN ` + domain + `.
@ 3600 SOA ns1 hostmaster 1 7200 1800 1209600 300
@ 3600 NS ns1
ns1 3600 A 192.0.2.53
`

// writeZone writes the data as a zone file.
func (d *dataset) writeZone(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write zone: %w", err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	w.WriteString(zoneHead)
	for i, name := range d.accounts {
		for _, o := range owners {
			a, _ := netip.AddrFromSlice(address(i, 0, o.qtype))
			fmt.Fprintf(w, "%s. %d %s %s\n", fqdn(name, o.label), recordTTL, typeName(o.qtype), a)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write zone: %w", err)
	}
	return f.Close()
}
