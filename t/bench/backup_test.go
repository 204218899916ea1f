package main

import (
	"net/netip"
	"path/filepath"
	"testing"

	"namecast/t/tools"
)

// checkRestore gives the real node the backup that is written here: it must
// serve its records, and take updates of its accounts.
func checkRestore(t *testing.T, bin string) {
	dir := t.TempDir()
	d := newDataset(300)
	if err := d.restore(filepath.Join(bin, ncServe), filepath.Join(dir, "db")); err != nil {
		t.Fatal(err)
	}
	s := tools.Serve(t, bin, dir, "-domain", domain, "-ns", "ns1."+domain+"=192.0.2.53", "-rate-source", "none", "-rate-account", "none")
	checkRecords(t, d, netip.MustParseAddrPort(s.Words["dns"]))
	u := newNUPUpdater(len(d.accounts), 8)
	if err := u.prepare(80); err != nil {
		t.Fatal(err)
	}
	if r := drive(t, netip.MustParseAddrPort(s.Words["nup"]), u); r.Good < 40 || r.Wrong > 0 {
		t.Errorf("want 40 updates taken, got %d and %d refused", r.Good, r.Wrong)
	}
}

func TestRestoreSaysWhatWentWrong(t *testing.T) {
	if err := newDataset(1).restore(filepath.Join(t.TempDir(), "none"), "db"); err == nil {
		t.Error("want an error of a program that is not there")
	}
}
