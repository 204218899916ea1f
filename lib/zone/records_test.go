package zone

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	diff "github.com/google/go-cmp/cmp"

	"namecast/lib/nup"
	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
)

// randomElements draws elements over few names, of which many fit and many do not.
func randomElements(r *rand.Rand) []nup.Element {
	names := []string{"@", "a", "A", "b.a", "c.b.a", "*.a", "ab", "x.ab"}
	data := map[rr.Type][]rr.Data{
		rr.TypeA:     {"\x01\x02\x03\x04", "\x01\x02\x03\x05"},
		rr.TypeTXT:   {"\x01x", "\x01y"},
		rr.TypeNS:    {rr.NameData(rr.MustName("ns.example"))},
		rr.TypeCNAME: {rr.NameData(rr.MustName("c.example"))},
		rr.TypeDNAME: {rr.NameData(rr.MustName("d.example"))},
	}
	types := []rr.Type{rr.TypeA, rr.TypeA, rr.TypeTXT, rr.TypeTXT, rr.TypeNS, rr.TypeCNAME, rr.TypeDNAME}
	ops := []nup.Op{nup.OpAdd, nup.OpAdd, nup.OpAdd, nup.OpReplace, nup.OpDelete, nup.OpDelete, nup.OpExists, nup.OpAbsent}
	list := make([]nup.Element, 1+r.IntN(3))
	for i := range list {
		e := nup.Element{Op: ops[r.IntN(len(ops))], Owner: rr.MustName(names[r.IntN(len(names))]), Type: types[r.IntN(len(types))]}
		if e.Op == nup.OpAdd || e.Op == nup.OpReplace {
			e.TTL = uint32(r.IntN(2))
			e.Data = data[e.Type][:1+r.IntN(len(data[e.Type]))]
		} else if r.IntN(3) == 0 {
			e.Type = rr.TypeNone
		}
		list[i] = e
	}
	return list
}

// TestRecordsAsRead: an update does the same to an account whose records are
// known as to one that is read from the store, all at once or name by name, and
// what it leaves is what the store has then.
func TestRecordsAsRead(t *testing.T) {
	for _, ballast := range []int{0, maxKept + 1} {
		t.Run(fmt.Sprint(ballast, " more records"), func(t *testing.T) { testRecordsAsRead(t, ballast) })
	}
}

func testRecordsAsRead(t *testing.T, ballast int) {
	db, err := leveldb.OpenMemory(leveldb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	r := rand.New(rand.NewPCG(3, uint64(ballast)))
	req := &nup.Request{Version: 1, Key: append([]byte{15}, make([]byte, 32)...)}
	for i := range ballast {
		req.Elements = append(req.Elements, nup.Element{Op: nup.OpAdd, Owner: rr.MustName(fmt.Sprint("ballast", i)), Type: rr.TypeTXT, Data: []rr.Data{"\x01x"}})
	}
	accepted := 0
	for step := 0; step < 3000; step++ {
		v, err := db.View()
		if err != nil {
			t.Fatal(err)
		}
		head, _ := v.HeadByKey(req.KeyID())
		o := Order{Request: req, Account: req.KeyID(), Base: rr.MustName("namecast.example"), Now: 1}
		if step > 0 {
			req.Elements = randomElements(r)
			if o.Records, err = readRecords(v, head.Account); err != nil {
				t.Fatal(err)
			}
		}
		known, err := Apply(v, head, o)
		if err != nil {
			t.Fatal(err)
		}
		o.Records = nil
		read, err := Apply(v, head, o)
		if err != nil {
			t.Fatal(err)
		}
		if d := diff.Diff(read, known, diff.AllowUnexported(Records{}, name{}), diff.FilterPath(func(p diff.Path) bool {
			return ballast > 0 && p.String() == "Records"
		}, diff.Ignore())); d != "" {
			t.Fatalf("step %d, %+v (-read +known):\n%s", step, req.Elements, d)
		}
		v.Release()
		if read.Status != nup.StatusOK {
			continue
		}
		accepted++
		if _, err := db.Commit(t.Context(), read.Change); err != nil {
			t.Fatal(err)
		}
		checkLeft(t, db, read)
	}
	if accepted < 300 {
		t.Errorf("only %d updates were good", accepted)
	}
}

// checkLeft compares the records that an update left with those in the store.
func checkLeft(t *testing.T, db store.Store, out Outcome) {
	t.Helper()
	head := out.Change.Head
	if fits := head.Records <= maxKept; fits != (out.Records != nil) {
		t.Fatalf("%d records are kept: %v", head.Records, out.Records != nil)
	}
	if out.Records == nil {
		return
	}
	v, err := db.View()
	if err != nil {
		t.Fatal(err)
	}
	defer v.Release()
	want, err := readRecords(v, head.Account)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Records{want, out.Records} {
		for i := range r.names {
			slices.SortFunc(r.names[i].sets, func(a, b rr.Set) int { return cmp.Compare(a.Type, b.Type) })
		}
	}
	if d := diff.Diff(append([]name{}, want.names...), out.Records.names, diff.AllowUnexported(name{})); d != "" {
		t.Fatalf("records left (-store +outcome):\n%s", d)
	}
	if w := out.Records.Weight(); w < head.Bytes {
		t.Errorf("records of %d octets weigh %d", head.Bytes, w)
	}
}
