package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// signZone writes the zone signed with one P-256 key, with NSEC, as the peers
// serve it. It needs dnssec-signzone, of BIND.
func signZone(dir, plain string) (path string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("sign zone: %w", err)
		}
	}()
	keys := filepath.Join(dir, "keys")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		return "", err
	}
	if _, err := run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", "-K", keys, domain); err != nil {
		return "", err
	}
	path = filepath.Join(dir, "signed.zone")
	if _, err = run("dnssec-signzone", "-q", "-S", "-z", "-P", "-u", "-d", dir, "-K", keys, "-o", domain, "-f", path, plain); err != nil {
		return "", err
	}
	return path, nil
}

// run runs a program to its end and gives what it printed.
func run(program string, args ...string) (string, error) {
	if _, err := exec.LookPath(program); err != nil {
		return "", fmt.Errorf("%s: %w", program, errMissing)
	}
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
