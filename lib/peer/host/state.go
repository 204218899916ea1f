package host

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"namecast/lib/ndb"
	"namecast/lib/peer/keep"
	"namecast/lib/private"
)

// What the folder holds, beside the lock and the socket.
const (
	identityFile = "identity" // this node's secret key
	snapshotFile = "snapshot" // of the cache
	membersFile  = "members"  // addresses of peers, a line each
	networkFile  = "network"  // where the machine was last
)

// maxRemembered is how many addresses of peers are kept.
const maxRemembered = 256

// saveEvery is how often the cache and the peers' addresses are saved.
const saveEvery = 10 * time.Minute

// identity reads this node's key, or makes one.
func identity(dir string) (ed25519.PrivateKey, error) {
	path := filepath.Join(dir, identityFile)
	text, err := private.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newIdentity(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("identity %q: %w", path, private.Cause(err))
	}
	lines, err := ndb.Parse(bytes.NewReader(text))
	if err == nil && len(lines) != 1 {
		err = fmt.Errorf("%d lines and not one", len(lines))
	}
	if err != nil {
		return nil, fmt.Errorf("identity %q: %w", path, err)
	}
	value, _ := lines[0].Get("!seed")
	seed, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("identity %q: !seed= is not the base64 of %d octets", path, ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// newIdentity makes a key in place of that which may be there.
func newIdentity(dir string) (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	line := ndb.Record{{Name: "!seed", Value: base64.StdEncoding.EncodeToString(key.Seed())}}
	if err := private.Replace(filepath.Join(dir, identityFile), line.String()+"\n"); err != nil {
		return nil, fmt.Errorf("make an identity: %w", err)
	}
	return key, nil
}

// newBoot is a number of this start, which others tell it from the last one by.
func newBoot() uint64 {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return binary.BigEndian.Uint64(b[:])
}

// remembered are the addresses of peers that were saved. A file that cannot be read is
// no reason not to begin: peers are found again.
func (d *daemon) remembered() []netip.AddrPort {
	text, err := os.ReadFile(filepath.Join(d.Dir, membersFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.notes.Warn("peers' addresses", "err", err)
	}
	var list []netip.AddrPort
	for line := range strings.Lines(string(text)) {
		if a, err := netip.ParseAddrPort(strings.TrimSpace(line)); err == nil && len(list) < maxRemembered {
			list = append(list, a)
		}
	}
	return list
}

// A networkNote is what is remembered of a network.
type networkNote struct {
	id     uint64
	on     string // its prefixes
	portal bool   // one may be before it
}

// rememberedNetwork is where the machine was last; the zero note if that is not known.
func (d *daemon) rememberedNetwork() (n networkNote) {
	text, err := os.ReadFile(filepath.Join(d.Dir, networkFile))
	if err != nil {
		return n
	}
	if lines, err := ndb.Parse(bytes.NewReader(text)); err == nil && len(lines) == 1 {
		id, _ := lines[0].Get("id")
		n.on, _ = lines[0].Get("on")
		_, n.portal = lines[0].Get("portal")
		n.id, _ = strconv.ParseUint(id, 16, 64) // 0, not known, if it is none
	}
	return n
}

// rememberNetwork writes down where the machine is.
func (d *daemon) rememberNetwork(n networkNote) {
	line := ndb.Record{{Name: "id", Value: strconv.FormatUint(n.id, 16)}, {Name: "on", Value: n.on}}
	if n.portal {
		line = append(line, ndb.Attr{Name: "portal", Value: "yes"})
	}
	if err := private.Replace(filepath.Join(d.Dir, networkFile), line.String()+"\n"); err != nil {
		d.notes.once("remember the network", err.Error())
	}
}

// moment is what a snapshot is dated by.
func (d *daemon) moment() keep.Moment {
	return keep.Moment{Boot: bootID(), Now: d.now(), Wall: time.Now().Unix()}
}

// bootID is the kernel's name of this start of the machine, which says whether times
// since its boot can be compared.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// load fills the cache from the snapshot. One that is damaged is as good as none.
func (d *daemon) load() {
	f, err := os.Open(filepath.Join(d.Dir, snapshotFile))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		defer f.Close()
		_, err = d.loop.node.Load(f, d.moment())
	}
	if err != nil {
		d.notes.Warn("the snapshot of the cache was not read", "err", err)
	}
}

// keepSaving saves now and then, and at the end.
func (d *daemon) keepSaving(ctx context.Context) {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := d.save(ctx); err != nil && ctx.Err() == nil {
			d.notes.once("save", err.Error())
		}
	}
}

// save has the loop write down what it knows, and puts that on the disk.
func (d *daemon) save(ctx context.Context) error {
	var cache bytes.Buffer
	var peers []netip.AddrPort
	var err error
	callErr := d.loop.call(ctx, func() { err = d.write(&cache, &peers) })
	if err := errors.Join(callErr, err); err != nil {
		return err
	}
	return d.put(&cache, peers)
}

// write is for the loop, or when it has ended.
func (d *daemon) write(cache io.Writer, peers *[]netip.AddrPort) error {
	if g := d.loop.group; g != nil {
		for _, m := range g.Members() {
			*peers = append(*peers, m.Addrs...)
		}
	}
	return d.loop.node.Snapshot(cache, d.moment())
}

// put writes the files. Names that were asked for are nobody else's business.
func (d *daemon) put(cache *bytes.Buffer, peers []netip.AddrPort) error {
	var lines strings.Builder
	for _, a := range peers[:min(len(peers), maxRemembered)] {
		fmt.Fprintln(&lines, a)
	}
	var errs []error
	errs = append(errs, private.Replace(filepath.Join(d.Dir, snapshotFile), cache.String()))
	if len(peers) > 0 { // being alone for a while forgets nobody
		errs = append(errs, private.Replace(filepath.Join(d.Dir, membersFile), lines.String()))
	}
	return errors.Join(errs...)
}
