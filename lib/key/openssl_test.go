package key

import (
	"bytes"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// TestOpenSSL has each side verify what the other signed.
func TestOpenSSL(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed")
	}
	digest := []string{"dgst", "-sha1"}
	raw := []string{"pkeyutl", "-rawin"}
	for _, tt := range []struct {
		file string
		args []string
	}{
		{"openssl_dsa1024.pem", digest},
		{"openssl_dsa2048_224.pem", digest},
		{"java_dsa3072.pem", digest},
		{"openssl_ed25519.pem", raw},
		{"java_ed25519.pem", raw},
	} {
		t.Run(tt.file, func(t *testing.T) {
			s := load(t, tt.file).Secret
			dir := t.TempDir()
			msg, sig, public := filepath.Join(dir, "msg"), filepath.Join(dir, "sig"), filepath.Join(dir, "public.pem")
			writeMode(t, msg, "sample", 0o600)
			writeMode(t, public, string(publicPEM(s.Public())), 0o600)
			sign := []string{"-sign", "testdata/" + tt.file, "-out", sig, msg}
			verify := []string{"-verify", public, "-signature", sig, msg}
			if tt.args[0] == "pkeyutl" {
				sign = []string{"-sign", "-inkey", "testdata/" + tt.file, "-out", sig, "-in", msg}
				verify = []string{"-verify", "-pubin", "-inkey", public, "-sigfile", sig, "-in", msg}
			}
			openssl(t, append(slices.Clone(tt.args), sign...))
			theirs, err := os.ReadFile(sig)
			if err != nil || !s.Public().Verify([]byte("sample"), theirs) {
				t.Errorf("refuses OpenSSL's signature %x: %v", theirs, err)
			}
			ours, err := s.Sign([]byte("sample"))
			if err != nil {
				t.Fatal(err)
			}
			writeMode(t, sig, string(ours), 0o600)
			openssl(t, append(slices.Clone(tt.args), verify...))
		})
	}
}

// publicPEM is the key as OpenSSL reads it.
func publicPEM(p Public) []byte {
	octets := p.Bytes()
	if p.Algorithm() == Ed25519 {
		octets = element(tagSequence, element(tagSequence, element(tagOID, oidEd25519)), element(tagBitString, []byte{0}, octets[1:]))
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: octets})
}

func openssl(t *testing.T, args []string) {
	t.Helper()
	out, err := exec.Command("openssl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %q: %v\n%s", args, err, bytes.TrimSpace(out))
	}
}
