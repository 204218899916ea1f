package claim_test

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"namecast/lib/claim"
	"namecast/t/peers"
)

// prover gives a Prover in a world.
func prover(w *peers.World) *claim.Prover {
	return &claim.Prover{
		Base: base, Port: uint16(w.Port), AllowPrivate: true, Timeout: 4 * time.Second,
		Resolvers: []netip.AddrPort{netip.MustParseAddrPort(w.Resolver.Addr)},
	}
}

// A signer signs zones with ldns-signzone or, for opt-out, which that does not
// really do, with dnssec-signzone. Each zone has one key.
type signer struct {
	t    testing.TB
	dir  string
	keys map[string]string // zone to base name of the key's files
}

func newSigner(t testing.TB) *signer {
	t.Helper()
	for _, program := range []string{"ldns-keygen", "ldns-signzone", "dnssec-signzone"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: signed zones skipped", program)
		}
	}
	return &signer{t: t, dir: t.TempDir(), keys: map[string]string{}}
}

func (s *signer) run(program string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = s.dir
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("run %s %v: %v\n%s", program, args, err, err.(*exec.ExitError).Stderr)
	}
	return string(out)
}

// key gives the zone's key.
func (s *signer) key(zone string) string {
	if s.keys[zone] == "" {
		s.keys[zone] = strings.TrimSpace(s.run("ldns-keygen", "-k", "-a", "ECDSAP256SHA256", zone))
	}
	return s.keys[zone]
}

// ds gives the DS record of the zone's key.
func (s *signer) ds(zone string) string {
	return strings.TrimSpace(s.read(s.key(zone) + ".ds"))
}

func (s *signer) read(name string) string {
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// sign gives the text of the zone with signatures.
func (s *signer) sign(zone, text string, options ...string) string {
	s.t.Helper()
	return s.with("ldns-signzone", zone, text, options...)
}

// optOut signs with NSEC3 records that leave unsigned delegations out.
func (s *signer) optOut(zone, text string) string {
	s.t.Helper()
	return s.with("dnssec-signzone", zone, text+s.read(s.key(zone)+".key"), "-z", "-3", "-", "-A", "-H", "0")
}

func (s *signer) with(program, zone, text string, options ...string) string {
	s.t.Helper()
	key := s.key(zone)
	if err := os.WriteFile(filepath.Join(s.dir, "zone"), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.run(program, append(options, "-f", "signed", "-o", zone, "zone", key)...)
	return s.read("signed")
}
