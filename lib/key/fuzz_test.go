package key

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// seeds adds every file of testdata, and the DER in it.
func seeds(f *testing.F, add func(b []byte)) {
	files, err := filepath.Glob("testdata/*.pem")
	if err != nil {
		f.Fatal(err)
	}
	refused, err := filepath.Glob("testdata/refused/*.pem")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(files, refused...) {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		add(b)
		add(unpem(f, b))
	}
}

func FuzzRead(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b) })
	f.Add([]byte(zeroLine))
	f.Add([]byte("# c\nkey proto=ed25519 public='' !secret=AAAA"))
	f.Add([]byte(load(f, "openssl_dsa1024.pem").Line()))
	f.Fuzz(func(t *testing.T, in []byte) {
		file, err := Read(bytes.NewReader(in))
		if err != nil {
			return
		}
		again, err := Read(bytes.NewReader([]byte(file.Line())))
		if err != nil || again.Line() != file.Line() {
			t.Fatalf("%q reads again as %q, %v", file.Line(), again.Line(), err)
		}
		public, err := Read(bytes.NewReader([]byte(file.PublicLine())))
		if err != nil || public.Secret != nil || public.Token != "" || public.Public != file.Public {
			t.Fatalf("%q reads as %v, %v", file.PublicLine(), public, err)
		}
	})
}

func FuzzParsePublic(f *testing.F) {
	seeds(f, func(b []byte) {
		f.Add(0, b)
		if file, err := Read(bytes.NewReader(b)); err == nil {
			f.Add(file.Public.Version(), file.Public.Bytes())
		}
	})
	f.Fuzz(func(t *testing.T, version int, in []byte) {
		p, err := ParsePublic(version, in)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Bytes(), in) || p.Version() != version || p.Account() != AccountOf(version, in) || !IsAccount(p.Account()) {
			t.Fatalf("version %d %x is account %q, version %d", version, p.Bytes(), p.Account(), p.Version())
		}
		if version == 0 {
			// One key has one encoding.
			if n, err := parseDSA(in); err != nil || !bytes.Equal(n.spki(), in) || p.Bits() < 512 || p.Bits() > 3072 {
				t.Fatalf("%x of %d bits encodes as %x, %v", in, p.Bits(), n.spki(), err)
			}
		}
	})
}
