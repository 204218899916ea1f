package key

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// zeros is a source of randomness that gives always the same.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// testKey makes an Ed25519 key, always the same.
func testKey(t testing.TB) *Secret {
	t.Helper()
	s, err := Generate(zeros{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// load reads a file of testdata as a key.
func load(t testing.TB, name string) File {
	t.Helper()
	f, err := Read(bytes.NewReader(testdata(t, name)))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return f
}

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// The names are those that sha1sum, sha256sum and base32 give.
func TestAccountOf(t *testing.T) {
	ed := testKey(t).Public()
	if d := cmp.Diff("0f3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29", hex.EncodeToString(ed.Bytes())); d != "" {
		t.Fatal(d)
	}
	tests := []struct {
		name    string
		version int
		octets  []byte
		want    string
	}{
		{name: "version 0, no octets", version: 0, want: "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
		{name: "version 0", version: 0, octets: []byte("abc"), want: "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{name: "version 1, no octets", version: 1, want: "4oymiquy7qobjgx36tejs35zeqt24qpe"},
		{name: "version 1", version: 1, octets: ed.Bytes(), want: "c7dcynszuhzph2x4xtwbv224vqndw667"},
		{name: "version 2", version: 2, octets: []byte("abc"), want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := AccountOf(tt.version, tt.octets)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
			if IsAccount(got) != (got != "") {
				t.Errorf("IsAccount(%q) = %v", got, IsAccount(got))
			}
		})
	}
}

func TestIsAccount(t *testing.T) {
	for _, s := range []string{"", "www", strings.Repeat("1", 32), strings.Repeat("A", 32), strings.Repeat("g", 40), strings.Repeat("a", 36), strings.Repeat("-", 40)} {
		if IsAccount(s) {
			t.Errorf("IsAccount(%q)", s)
		}
	}
}

func TestPublicOfZeroValue(t *testing.T) {
	var p Public
	if !p.IsZero() || p.Verify(nil, nil) || p.Algorithm() != 0 || p.Bits() != 0 || len(p.Bytes()) != 0 {
		t.Error("the zero value passes for a key")
	}
}

func TestParsePublicVersion1(t *testing.T) {
	good := testKey(t).Public().Bytes()
	tests := []struct {
		name    string
		version int
		octets  []byte
		want    error
	}{
		{name: "good", version: 1, octets: good},
		{name: "empty", version: 1, want: ErrMalformed},
		{name: "short", version: 1, octets: good[:32], want: ErrMalformed},
		{name: "long", version: 1, octets: append(bytes.Clone(good), 0), want: ErrMalformed},
		{name: "other algorithm", version: 1, octets: append([]byte{3}, good[1:]...), want: ErrAlgorithm},
		{name: "no such version", version: 2, octets: good, want: ErrMalformed},
		{name: "as version 0", version: 0, octets: good, want: ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParsePublic(tt.version, tt.octets)
			if !errors.Is(err, tt.want) {
				t.Fatalf("error %v, want %v", err, tt.want)
			}
			if err == nil && (!bytes.Equal(p.Bytes(), tt.octets) || p.Version() != 1 || p.Algorithm() != Ed25519 || p.Bits() != 256) {
				t.Errorf("parsed as %d, version %d, %v", p.Bytes(), p.Version(), p.Algorithm())
			}
		})
	}
}

func TestSignAndVerify(t *testing.T) {
	tests := []struct {
		name   string
		secret *Secret
		bits   int
	}{
		{name: "ed25519", secret: testKey(t), bits: 256},
		{name: "dsa 1024/160", secret: load(t, "openssl_dsa1024.pem").Secret, bits: 1024},
		{name: "dsa 2048/224", secret: load(t, "openssl_dsa2048_224.pem").Secret, bits: 2048},
		{name: "dsa 3072/256", secret: load(t, "java_dsa3072.pem").Secret, bits: 3072},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			msg := []byte("sample")
			sig, err := tt.secret.Sign(msg)
			if err != nil {
				t.Fatal(err)
			}
			p := tt.secret.Public()
			if p.Bits() != tt.bits {
				t.Errorf("%d bits, want %d", p.Bits(), tt.bits)
			}
			if !p.Verify(msg, sig) {
				t.Error("refuses its own signature")
			}
			if again, _ := tt.secret.Sign(msg); !bytes.Equal(sig, again) {
				t.Error("signs the same message differently")
			}
			if p.Verify([]byte("samplf"), sig) {
				t.Error("accepts the signature of another message")
			}
			for i := range sig {
				bad := bytes.Clone(sig)
				bad[i] ^= 1
				if p.Verify(msg, bad) {
					t.Errorf("accepts the signature with octet %d changed", i)
				}
			}
			for _, bad := range [][]byte{nil, sig[:len(sig)-1], append(bytes.Clone(sig), 0)} {
				if p.Verify(msg, bad) {
					t.Errorf("accepts a signature of %d octets", len(bad))
				}
			}
		})
	}
}

// Among many signatures some have numbers with leading zero octets, which the
// DER leaves out, and some with a high first bit, which takes a zero octet.
func TestSignManyMessages(t *testing.T) {
	s := load(t, "openssl_dsa1024.pem").Secret
	for i := range 300 {
		msg := []byte{byte(i), byte(i >> 8)}
		sig, err := s.Sign(msg)
		if err != nil || !s.Public().Verify(msg, sig) {
			t.Fatalf("message %d: signature %x, error %v", i, sig, err)
		}
	}
}

// Keys and signatures of RFC 6979 A.2.1 and A.2.2, those with SHA-1.
func TestRFC6979(t *testing.T) {
	small := dsaNumbers{
		p: unhex(`86F5CA03DCFEB225063FF830A0C769B9DD9D6153AD91D7CE27F787C43278B447
			E6533B86B18BED6E8A48B784A14C252C5BE0DBF60B86D6385BD2F12FB763ED88
			73ABFD3F5BA2E0A8C0A59082EAC056935E529DAF7C610467899C77ADEDFC846C
			881870B7B19B2B58F9BE0521A17002E3BDD6B86685EE90B3D9A1B02B782B1779`),
		q: unhex(`996F967F6C8E388D9E28D01E205FBA957A5698B1`),
		g: unhex(`07B0F92546150B62514BB771E2A0C0CE387F03BDA6C56B505209FF25FD3C133D
			89BBCD97E904E09114D9A7DEFDEADFC9078EA544D2E401AEECC40BB9FBBF78FD
			87995A10A1C27CB7789B594BA7EFB5C4326A9FE59A070E136DB77175464ADCA4
			17BE5DCE2F40D10A46A3A3943F26AB7FD9C0398FF8C76EE0A56826A8A88F1DBD`),
		x: unhex(`411602CB19A6CCC34494D79D98EF1E7ED5AF25F7`),
		y: unhex(`5DF5E01DED31D0297E274E1691C192FE5868FEF9E19A84776454B100CF16F653
			92195A38B90523E2542EE61871C0440CB87C322FC4B4D2EC5E1E7EC766E1BE8D
			4CE935437DC11C3C8FD426338933EBFE739CB3465F4D3668C5E473508253B1E6
			82F65CBDC4FAE93C2EA212390E54905A86E2223170B44EAA7DA5DD9FFCFB7F3B`),
	}
	large := dsaNumbers{
		p: unhex(`9DB6FB5951B66BB6FE1E140F1D2CE5502374161FD6538DF1648218642F0B5C48
			C8F7A41AADFA187324B87674FA1822B00F1ECF8136943D7C55757264E5A1A44F
			FE012E9936E00C1D3E9310B01C7D179805D3058B2A9F4BB6F9716BFE6117C6B5
			B3CC4D9BE341104AD4A80AD6C94E005F4B993E14F091EB51743BF33050C38DE2
			35567E1B34C3D6A5C0CEAA1A0F368213C3D19843D0B4B09DCB9FC72D39C8DE41
			F1BF14D4BB4563CA28371621CAD3324B6A2D392145BEBFAC748805236F5CA2FE
			92B871CD8F9C36D3292B5509CA8CAA77A2ADFC7BFD77DDA6F71125A7456FEA15
			3E433256A2261C6A06ED3693797E7995FAD5AABBCFBE3EDA2741E375404AE25B`),
		q: unhex(`F2C3119374CE76C9356990B465374A17F23F9ED35089BD969F61C6DDE9998C1F`),
		g: unhex(`5C7FF6B06F8F143FE8288433493E4769C4D988ACE5BE25A0E24809670716C613
			D7B0CEE6932F8FAA7C44D2CB24523DA53FBE4F6EC3595892D1AA58C4328A06C4
			6A15662E7EAA703A1DECF8BBB2D05DBE2EB956C142A338661D10461C0D135472
			085057F3494309FFA73C611F78B32ADBB5740C361C9F35BE90997DB2014E2EF5
			AA61782F52ABEB8BD6432C4DD097BC5423B285DAFB60DC364E8161F4A2A35ACA
			3A10B1C4D203CC76A470A33AFDCBDD92959859ABD8B56E1725252D78EAC66E71
			BA9AE3F1DD2487199874393CD4D832186800654760E1E34C09E4D155179F9EC0
			DC4473F996BDCE6EED1CABED8B6F116F7AD9CF505DF0F998E34AB27514B0FFE7`),
		x: unhex(`69C7548C21D0DFEA6B9A51C9EAD4E27C33D3B3F180316E5BCAB92C933F0E4DBC`),
		y: unhex(`667098C654426C78D7F8201EAC6C203EF030D43605032C2F1FA937E5237DBD94
			9F34A0A2564FE126DC8B715C5141802CE0979C8246463C40E6B6BDAA2513FA61
			1728716C2E4FD53BC95B89E69949D96512E873B9C8F8DFD499CC312882561ADE
			CB31F658E934C0C197F2C4D96B05CBAD67381E7B768891E4DA3843D24D94CDFB
			5126E9B8BF21E8358EE0E0A30EF13FD6A664C0DCE3731F7FB49A4845A4FD8254
			687972A2D382599C9BAC4E0ED7998193078913032558134976410B89D2C171D1
			23AC35FD977219597AA7D15C1A9A428E59194F75C721EBCBCFAE44696A499AFA
			74E04299F132026601638CB87AB79190D4A0986315DA8EEC6561C938996BEADF`),
	}
	tests := []struct {
		name, msg string
		key       dsaNumbers
		r, s      string
	}{
		{"A.2.1 sample", "sample", small, "2E1A0C2562B2912CAAF89186FB0F42001585DA55", "29EFB6B0AFF2D7A68EB70CA313022253B9A88DF5"},
		{"A.2.1 test", "test", small, "42AB2052FD43E123F0607F115052A67DCD9C5C77", "183916B0230D45B9931491D4C6B0BD2FB4AAF088"},
		{"A.2.2 sample", "sample", large, "3A1B2DBD7489D6ED7E608FD036C83AF396E290DBD602408E8677DAABD6E7445A", "D26FCBA19FA3E3058FFC02CA1596CDBB6E0D20CB37B06054F7E36DED0CDBBCCF"},
		{"A.2.2 test", "test", large, "C18270A93CFC6063F57A4DFA86024F700D980E4CF4E2CB65A504397273D98EA0", "414F22E5F31A8B6D33295C7539C1C1BA3A6160D7D68D50AC0D3A5BEAC2884FAA"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := newDSA(tt.key) // checks y against x
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Sign([]byte(tt.msg))
			if err != nil {
				t.Fatal(err)
			}
			want := element(tagSequence, integerElement(unhex(tt.r)), integerElement(unhex(tt.s)))
			if d := cmp.Diff(hex.EncodeToString(want), hex.EncodeToString(got)); d != "" {
				t.Error(d)
			}
			if !s.Public().Verify([]byte(tt.msg), want) {
				t.Error("refuses the signature")
			}
		})
	}
}

// Signatures of "sample" that the JDK made.
func TestVerifyJava(t *testing.T) {
	for _, name := range []string{"java_dsa1024", "java_ed25519"} {
		t.Run(name, func(t *testing.T) {
			f := load(t, name+"_public.pem")
			if !f.Public.Verify([]byte("sample"), unpem(t, testdata(t, name+"_signature.pem"))) {
				t.Error("refuses the signature")
			}
		})
	}
}

// A signature has one encoding: the DER of exactly two positive numbers below q.
func TestVerifyRefusesOtherDER(t *testing.T) {
	s := load(t, "openssl_dsa1024.pem").Secret
	msg := []byte("sample")
	sig, err := s.Sign(msg)
	if err != nil {
		t.Fatal(err)
	}
	var r, v []byte
	body, _ := der(sig).only(tagSequence)
	if !body.integers(&r, &v) {
		t.Fatalf("own signature %x", sig)
	}
	sum := new(big.Int).Add(number(v), number(s.dsa.q)).Bytes()
	seq := func(parts ...[]byte) []byte { return element(tagSequence, parts...) }
	ri, si := integerElement(r), integerElement(v)
	tests := map[string][]byte{
		"octets after it":     append(bytes.Clone(sig), 0),
		"a third number":      seq(ri, si, si),
		"one number":          seq(ri),
		"zero r":              seq(integerElement(nil), si),
		"zero s":              seq(ri, integerElement(nil)),
		"s + q":               seq(ri, integerElement(sum)),
		"r = q":               seq(integerElement(s.dsa.q), si),
		"padded number":       seq(ri, element(tagInteger, []byte{0, 0}, v)),
		"negative number":     seq(ri, element(tagInteger, []byte{0xff}, v)),
		"empty number":        seq(ri, element(tagInteger)),
		"long form of length": append([]byte{tagSequence, 0x81}, sig[1:]...),
		"indefinite length":   append(append([]byte{tagSequence, 0x80}, sig[2:]...), 0, 0),
		"not a sequence":      append([]byte{0x31}, sig[1:]...),
		"raw r and s":         append(bytes.Clone(r), v...),
	}
	for name, bad := range tests {
		t.Run(name, func(t *testing.T) {
			if s.Public().Verify(msg, bad) {
				t.Errorf("accepts %x", bad)
			}
		})
	}
}

func TestEd25519Strictness(t *testing.T) {
	s := testKey(t)
	sig, err := s.Sign([]byte("sample"))
	if err != nil {
		t.Fatal(err)
	}
	// S + L is the same residue, and must be refused (RFC 8032 5.1.7).
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	le := bytes.Clone(sig[32:])
	slices.Reverse(le)
	sum := new(big.Int).Add(number(le), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	if s.Public().Verify([]byte("sample"), append(bytes.Clone(sig[:32]), sum...)) {
		t.Error("accepts S + L")
	}
	if len(sig) != ed25519.SignatureSize || SignatureSize != 64 || Ed25519Size != 33 {
		t.Error("a length is wrong")
	}
}
