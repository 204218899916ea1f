package zone_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"namecast/lib/nup"
	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
	"namecast/lib/zone"
)

// A bench is one account in a store, to which updates in text form are applied.
type bench struct {
	t     *testing.T
	db    store.Store
	quota zone.Quota
	key   []byte
}

func newBench(t *testing.T) *bench {
	db, err := leveldb.OpenMemory(leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return &bench{t: t, db: db, key: append([]byte{15}, make([]byte, 32)...)}
}

func (b *bench) head() store.Head {
	v, err := b.db.View()
	if err != nil {
		b.t.Fatal(err)
	}
	defer v.Release()
	h, _ := v.HeadByKey((&nup.Request{Version: 1, Key: b.key}).KeyID())
	return h
}

// apply applies one group of update text and commits the outcome if it is good.
func (b *bench) apply(text string) zone.Outcome {
	b.t.Helper()
	u, err := nup.ParseText(strings.NewReader(text), 1, nil)
	if err != nil {
		b.t.Fatalf("%q: %v", text, err)
	}
	head := b.head()
	req := &nup.Request{Version: 1, Key: b.key, Seq: head.NextSeq, Elements: u.Groups[0]}
	v, err := b.db.View()
	if err != nil {
		b.t.Fatal(err)
	}
	defer v.Release()
	out, err := zone.Apply(v, head, zone.Order{
		Request: req, Account: req.KeyID(), Base: rr.MustName("namecast.example"), Quota: b.quota, Now: 1,
		Prove: func(domain rr.Name) *zone.Refusal {
			if domain == rr.MustName("denied.test") {
				return &zone.Refusal{Code: nup.CodeProofMissing, Text: "no proof"}
			}
			return nil
		},
	})
	if err != nil {
		b.t.Fatalf("%q: %v", text, err)
	}
	if out.Status != nup.StatusOK {
		return out
	}
	for _, d := range out.Domains {
		if _, err := b.db.SetClaim(b.t.Context(), d, 0, store.Claim{Version: 1, Account: req.KeyID()}); err != nil {
			b.t.Fatal(err)
		}
	}
	if _, err := b.db.Commit(b.t.Context(), out.Change); err != nil {
		b.t.Fatalf("%q: %v", text, err)
	}
	return out
}

// records prints all records of the account, sorted.
func (b *bench) records() []string {
	v, err := b.db.View()
	if err != nil {
		b.t.Fatal(err)
	}
	defer v.Release()
	var out []string
	total, size := 0, 0
	for s, err := range v.Sets(b.head().Account, "") {
		if err != nil {
			b.t.Fatal(err)
		}
		for _, d := range s.Data {
			out = append(out, fmt.Sprintf("%s %d %s %s", s.Owner, s.TTL, s.Type, d.Text(s.Type)))
		}
		total, size = total+len(s.Data), size+s.Size()
	}
	if h := b.head(); h.Records != total || h.Bytes != size {
		b.t.Errorf("head counts %d records and %d bytes, there are %d and %d", h.Records, h.Bytes, total, size)
	}
	slices.Sort(out)
	return out
}

func TestApply(t *testing.T) {
	for _, c := range []struct {
		name   string
		before string // applied first, must be accepted
		update string
		code   nup.Code // of the last element; the others tell by it
		want   []string // records after the update, if it is accepted
	}{
		{name: "add", update: "add www 300 A 192.0.2.1", want: []string{"www 300 A 192.0.2.1"}},
		{name: "add to an RRset gives all its records the newest TTL", before: "add www 300 A 192.0.2.1", update: "add www 60 A 192.0.2.2",
			want: []string{"www 60 A 192.0.2.1", "www 60 A 192.0.2.2"}},
		{name: "an identical record renews its TTL", before: "add www 300 MX 10 Mail.example.", update: "add WWW 60 MX 10 mail.EXAMPLE.",
			want: []string{"www 60 MX 10 Mail.example."}},
		{name: "delete one record", before: "add www 1 A 192.0.2.1\nadd www 1 A 192.0.2.2", update: "delete WWW A 192.0.2.1",
			want: []string{"www 1 A 192.0.2.2"}},
		{name: "delete a type", before: "add www 1 A 192.0.2.1\nadd www 1 TXT x", update: "delete www A", want: []string{`www 1 TXT "x"`}},
		{name: "delete a name", before: "add www 1 A 192.0.2.1\nadd www 1 TXT x\nadd a.www 1 TXT y", update: "delete www", want: []string{`a.www 1 TXT "y"`}},
		{name: "delete what is not there", before: "add a 1 TXT x", update: "delete b\ndelete a A\ndelete a TXT y", want: []string{`a 1 TXT "x"`}},
		{name: "replace", before: "add home 1 A 192.0.2.1\nadd home 1 A 192.0.2.2", update: "replace home 60 A 203.0.113.7", want: []string{"home 60 A 203.0.113.7"}},
		{name: "elements see those before them", update: "add a 1 CNAME b.\ndelete a\nadd a 1 A 192.0.2.1", want: []string{"a 1 A 192.0.2.1"}},

		{name: "CNAME beside data", before: "add a 1 A 192.0.2.1", update: "add a 1 CNAME b.", code: nup.CodeBadData},
		{name: "data beside CNAME", before: "add a 1 CNAME b.", update: "add A 1 A 192.0.2.1", code: nup.CodeBadData},
		{name: "second CNAME", before: "add a 1 CNAME b.", update: "add a 1 CNAME c.", code: nup.CodeBadData},
		{name: "replace a CNAME", before: "add a 1 CNAME b.", update: "replace a 1 CNAME c.", want: []string{"a 1 CNAME c."}},
		{name: "second DNAME", before: "add a 1 DNAME b.", update: "add a 1 DNAME c.", code: nup.CodeBadData},
		{name: "data below DNAME", before: "add a 1 DNAME b.", update: "add x.y.a 1 A 192.0.2.1", code: nup.CodeBadData},
		{name: "DNAME above data", before: "add x.y.a 1 A 192.0.2.1", update: "add a 1 DNAME b.", code: nup.CodeBadData},
		{name: "DNAME above data of the same request", update: "add x.y.a 1 A 192.0.2.1\nadd a 1 DNAME b.", code: nup.CodeBadData},
		{name: "DNAME above data that the same request deletes", before: "add x.y.a 1 A 192.0.2.1", update: "delete x.y.a\nadd a 1 DNAME b.", want: []string{"a 1 DNAME b."}},

		{name: "delegation with glue", update: "add sub 1 NS ns.sub.x.\nadd ns.sub 1 A 192.0.2.1\nadd sub 1 DS 1 13 2 " + strings.Repeat("00", 32),
			want: []string{"ns.sub 1 A 192.0.2.1", "sub 1 DS 1 13 2 " + strings.Repeat("00", 32), "sub 1 NS ns.sub.x."}},
		{name: "data below a delegation", before: "add sub 1 NS ns.x.", update: "add www.sub 1 TXT x", code: nup.CodeBadData},
		{name: "data at a delegation", before: "add sub 1 NS ns.x.", update: "add sub 1 MX 1 x.", code: nup.CodeBadData},
		{name: "delegation above data", before: "add www.sub 1 TXT x", update: "add sub 1 NS ns.x.", code: nup.CodeBadData},
		{name: "delegation at data", before: "add sub 1 TXT x", update: "add sub 1 NS ns.x.", code: nup.CodeBadData},
		{name: "delegation below a delegation", before: "add sub 1 NS ns.x.", update: "add a.sub 1 NS ns.x.", code: nup.CodeBadData},

		{name: "NS at the apex of the hash suffix", update: "add @ 1 NS ns.x.", code: nup.CodeBadData},
		{name: "CNAME at the apex of the hash suffix", update: "add @ 1 CNAME x.", want: []string{"@ 1 CNAME x."}},
		{name: "NS at the apex of an owned domain", before: "validate example.com h@example.com 60", update: "add @ 1 NS ns.x.", want: []string{"@ 1 NS ns.x."}},
		{name: "CNAME at the apex of an owned domain", before: "validate example.com h@example.com 60", update: "add @ 1 CNAME x.", code: nup.CodeBadData},
		{name: "validate over a CNAME at the apex", before: "add @ 1 CNAME x.", update: "validate example.com h@example.com 60", code: nup.CodeBadData},
		{name: "DS at the apex", update: "add @ 1 DS 1 13 2 " + strings.Repeat("00", 32), code: nup.CodeBadData},
		{name: "keys at the apex of the hash suffix", update: "add @ 1 DNSKEY 257 3 13 AQIDBAUGBwg=", code: nup.CodeBadData},
		{name: "keys at the apex of an owned domain", before: "validate example.com h@example.com 60", update: "add @ 1 DNSKEY 257 3 13 AQIDBAUGBwg=", want: []string{"@ 1 DNSKEY 257 3 13 AQIDBAUGBwg="}},
		{name: "NS at a wildcard", update: "add * 1 NS x.", code: nup.CodeBadData},
		{name: "DNAME at a wildcard", update: "add *.a 1 DNAME x.", code: nup.CodeBadData},
		{name: "ALIAS at the apex of an owned domain", before: "validate example.com h@example.com 60", update: "add @ 1 ALIAS www.x.\nadd @ 1 MX 1 x.",
			want: []string{"@ 1 ALIAS www.x.", "@ 1 MX 1 x."}},
		{name: "ANAME is the same", update: "add a 1 aname Www.x.\nadd a 2 ALIAS www.X.", want: []string{"a 2 ALIAS Www.x."}},
		{name: "ALIAS beside an address", before: "add a 1 AAAA ::1", update: "add a 1 ALIAS x.", code: nup.CodeBadData},
		{name: "an address beside ALIAS", before: "add a 1 ALIAS x.", update: "add a 1 A 192.0.2.1", code: nup.CodeBadData},
		{name: "second ALIAS", before: "add a 1 ALIAS x.", update: "add a 1 ALIAS y.", code: nup.CodeBadData},
		{name: "unproved domain", update: "validate denied.test h@example.com 60", code: nup.CodeProofMissing},
		{name: "domain of the service", update: "validate x.namecast.example h@example.com 60", code: nup.CodeDomainRefused},
		{name: "domain above the service", update: "validate example h@example.com 60", code: nup.CodeDomainRefused},

		{name: "require exists name", before: "add a 1 TXT x", update: "require exists a\nadd b 1 TXT y", want: []string{`a 1 TXT "x"`, `b 1 TXT "y"`}},
		{name: "require exists name fails", update: "require exists a", code: nup.CodePrerequisite},
		{name: "require exists name that is only above others", before: "add x.a 1 TXT x", update: "require exists a", code: nup.CodePrerequisite},
		{name: "require exists type fails", before: "add a 1 TXT x", update: "require exists a A", code: nup.CodePrerequisite},
		{name: "require equals", before: "add a 1 A 192.0.2.1\nadd a 1 A 192.0.2.2", update: "require exists a A 192.0.2.2\nrequire exists a A 192.0.2.1\ndelete a", want: nil},
		{name: "require equals fails on more", before: "add a 1 A 192.0.2.1\nadd a 1 A 192.0.2.2", update: "require exists a A 192.0.2.2", code: nup.CodePrerequisite},
		{name: "require absent", update: "require absent lock\nadd lock 1 TXT me", want: []string{`lock 1 TXT "me"`}},
		{name: "require absent fails", before: "add lock 1 TXT you", update: "require absent lock", code: nup.CodePrerequisite},
		{name: "require absent type", before: "add a 1 TXT you", update: "require absent a A", want: []string{`a 1 TXT "you"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			if c.before != "" {
				if out := b.apply(c.before); out.Status != nup.StatusOK {
					t.Fatalf("before: %v %v %s", out.Status, out.Codes, out.Text)
				}
			}
			before := b.records()
			out := b.apply(c.update)
			last := out.Codes[len(out.Codes)-1]
			if last != c.code || (c.code == nup.CodeOK) != (out.Status == nup.StatusOK) {
				t.Fatalf("status %v, codes %v, want the last %v: %s", out.Status, out.Codes, c.code, out.Text)
			}
			want := c.want
			if c.code != nup.CodeOK {
				want = before
				if out.Text == "" {
					t.Error("refused without a text")
				}
			}
			if diff := cmp.Diff(want, b.records()); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

// TestApplyCodes checks which code each element of a refused request has.
func TestApplyCodes(t *testing.T) {
	b := newBench(t)
	out := b.apply("add a 1 TXT x\nadd b 1 CNAME c.\nadd b 1 TXT x\nadd d 1 TXT x")
	want := []nup.Code{nup.CodeOtherErrors, nup.CodeOtherErrors, nup.CodeBadData, nup.CodeEarlierElement}
	if diff := cmp.Diff(want, out.Codes); diff != "" || out.Status != nup.StatusInvalidElement {
		t.Errorf("status %v, codes (-want +got):\n%s", out.Status, diff)
	}
	if got := b.head(); got.Version != 0 {
		t.Errorf("a refused request made %+v", got)
	}
}

func TestQuota(t *testing.T) {
	b := newBench(t)
	b.quota = zone.Quota{Records: 2, Bytes: 100, Domains: 1}
	for _, c := range []struct {
		update string
		status nup.Status
	}{
		{"add a 1 A 192.0.2.1\nadd a 1 A 192.0.2.2\nadd a 1 A 192.0.2.3", nup.StatusOverLimit},
		{"add a 1 A 192.0.2.1\nadd a 1 A 192.0.2.2", nup.StatusOK},
		{"add b 1 A 192.0.2.1", nup.StatusOverLimit},
		{"delete a\nadd b 1 A 192.0.2.1", nup.StatusOK},
		{"add c 1 TXT " + strings.Repeat("x", 100), nup.StatusOverLimit},
		{"validate one.test h@example.com 60", nup.StatusOK},
		{"validate two.test h@example.com 60", nup.StatusOverLimit},
		{"validate one.test other@example.com 60", nup.StatusOK},
	} {
		if out := b.apply(c.update); out.Status != c.status {
			t.Errorf("%q: %v, want %v: %s", c.update, out.Status, c.status, out.Text)
		}
	}
	// Limits that were lowered do not lock the account up.
	b.quota.Bytes = 1
	if out := b.apply("delete b"); out.Status != nup.StatusOK {
		t.Errorf("shrinking over a lowered limit: %v %s", out.Status, out.Text)
	}
}

// TestChangeIsDelta checks that a change names only the RRsets that differ.
func TestChangeIsDelta(t *testing.T) {
	b := newBench(t)
	b.apply("add a 1 A 192.0.2.1\nadd a 1 TXT x\nadd b 1 TXT y")
	out := b.apply("add a 1 A 192.0.2.2\nadd b 1 TXT y\ndelete c\nadd d 1 TXT z\ndelete d")
	var got []string
	for _, s := range out.Change.Put {
		got = append(got, fmt.Sprintf("put %s %s", s.Owner, s.Type))
	}
	for _, s := range out.Change.Delete {
		got = append(got, fmt.Sprintf("delete %s %s", s.Owner, s.Type))
	}
	if diff := cmp.Diff([]string{"put a A"}, got); diff != "" {
		t.Errorf("change (-want +got):\n%s", diff)
	}
	if h := out.Change.Head; h.Version != 2 || h.NextSeq != 2 {
		t.Errorf("head %+v", h)
	}
}

func TestNext(t *testing.T) {
	for _, c := range [][2]int64{{0, 1}, {41, 42}, {1<<63 - 1, 0}} {
		if got := zone.Next(c[0]); got != c[1] {
			t.Errorf("Next(%d) = %d, want %d", c[0], got, c[1])
		}
	}
}
