package serve

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"unsafe"

	"github.com/miekg/dns"

	"namecast/lib/rr"
	"namecast/lib/rrl"
	"namecast/lib/store"
	"namecast/lib/wire"
	"namecast/lib/zone"
)

// A Directory knows, without looking, of names that nobody has: a store may be
// one. True is for sure; false says nothing.
type Directory interface {
	Absent(account []byte) bool      // a label in lower case
	AbsentDomain(domain []byte) bool // a lower-case name in wire form, without the root label
}

// Names that do not exist are without number, so their answers are not kept but
// made anew of what is known of all of them: that nobody has the account or
// domain, or the outline of it, which is kept among the answers. It is known as
// long as the accounts and domains do not change that it was read of.

// outlineKey is what follows the name in the key of an outline: no question has
// a type of zero and such a flag.
var outlineKey = []byte{0, 0, 0xff}

// The form of an outline that is kept, behind the generations:
//
//	1 whether it is one | 4 TTL of the SOA record | 2 octets of its data | data
//	4 hash of each name
const (
	isOutline   = 1
	outlineHead = 7
)

// A denial is a negative answer for a name that does not exist.
type denial struct {
	apex []byte // lower case, without the root label
	base bool   // the apex is the base domain
	ttl  uint32
	soa  []byte
}

// deny makes the response that says that a name does not exist, if that is known
// and nobody wants it signed. What wants to be signed is only marked.
func (d *DNS) deny(p *plain, key, out []byte, s *scratch) (reply []byte, ok bool) {
	if d.answers.held == nil {
		return nil, false
	}
	no, ok := d.known(key[:len(p.Name)-1])
	if p.missing = ok; !ok || p.DO && d.Service.Signer != nil {
		return nil, false
	}
	question, w := p.question(), &s.writer
	w.Start(s.body[:0], question)
	w.Record(name(no.apex), rr.TypeSOA, dns.ClassINET, no.ttl, rr.Data(name(no.soa)))
	f := finished{flags: wire.FlagAA, rcode: dns.RcodeNameError, counts: [3]byte{0, 1, 0}, class: rrl.Negative, suffix: len(no.apex)}
	f.body = w.Bytes()[wire.HeaderSize+len(question):]
	if no.base {
		f.serial = len(f.body) - zone.SOATail + 1
	}
	if p.size(f) > p.limit {
		return nil, false
	}
	d.counters.denied.Add(1)
	return d.give(f, p, key[:len(p.Name)], out), true
}

// name is octets as a name, without a copy: they must not change while it is in use.
func name(b []byte) rr.Name { return rr.Name(unsafe.String(unsafe.SliceData(b), len(b))) }

// known reports whether a name is known not to exist, and what to say then.
func (d *DNS) known(lower []byte) (no denial, ok bool) {
	a := &d.answers
	if rel, label, under := a.underBase(lower); under {
		return a.nobody, rel > 0 && d.unknown(lower, label, rel)
	}
	if d.Directory == nil {
		return no, false
	}
	for at := 0; at < len(lower); at += 1 + int(lower[at]) {
		if b, found := a.outline(lower[at:]); found {
			soa, hashes := cutOutline(b)
			no = denial{apex: lower[at:], ttl: binary.BigEndian.Uint32(b[1:]), soa: soa}
			return no, a.lacks(hashes, lower[:at])
		}
		if !d.Directory.AbsentDomain(lower[at:]) {
			return no, false // it may be a zone, and is the longest then that the name is under
		}
	}
	return no, false
}

// unknown reports whether a name below the base domain is known not to exist.
// Its label next to that is at a place, before the end of what is relative.
func (d *DNS) unknown(lower []byte, label, end int) bool {
	account := lower[label+1 : end]
	switch {
	case d.answers.hosts[string(account)]:
		return false
	case !zone.AccountName(len(account)), d.Directory != nil && d.Directory.Absent(account):
		return true
	}
	b, found := d.answers.outline(lower[label:])
	if !found {
		return false
	}
	_, hashes := cutOutline(b)
	return d.answers.lacks(hashes, lower[:label])
}

// underBase finds in a name below the base domain the end of what is relative to
// that, and its last label.
func (a *answers) underBase(lower []byte) (end, label int, under bool) {
	end = len(lower) - len(a.nobody.apex)
	if end < 0 || !bytes.HasSuffix(lower, a.nobody.apex) {
		return 0, 0, false
	}
	at := 0
	for at < end {
		label = at
		at += 1 + int(lower[at])
	}
	return end, label, at == end
}

// outline finds the outline below a name.
func (a *answers) outline(root []byte) (b []byte, ok bool) {
	b, ok = a.learned(root)
	return b, ok && b[0] == isOutline
}

// learned finds what was learned of the names below one.
func (a *answers) learned(root []byte) (b []byte, ok bool) {
	var room [maxAnswerKey]byte
	if b, ok = a.held.Get(append(append(room[:0], root...), outlineKey...)); ok {
		b, ok = a.fresh(b)
	}
	return b, ok
}

// cutOutline gives the data of an outline's SOA record and the hashes of its names.
func cutOutline(b []byte) (soa, hashes []byte) {
	end := outlineHead + int(binary.BigEndian.Uint16(b[5:]))
	return b[outlineHead:end], b[end:]
}

// lacks reports whether a name is not in an outline. Two names may have one hash;
// one that exists is there in any case.
func (a *answers) lacks(hashes, rel []byte) bool {
	for sum := uint32(maphash.Bytes(a.seed, rel)); len(hashes) > 0; hashes = hashes[4:] {
		if binary.BigEndian.Uint32(hashes) == sum {
			return false
		}
	}
	return true
}

// learn keeps the outline that a name is in which was found not to exist, or that
// there is none. The view was opened after so many changes.
func (d *DNS) learn(v store.View, missing rr.Name, changes uint64) {
	a := &d.answers
	if a.held == nil {
		return
	}
	root, err := d.Service.Root(v, missing)
	if _, known := a.learned([]byte(root)); err != nil || root == "" || known {
		return
	}
	w := a.witness()
	o, ok, err := d.Service.Outline(w.watch(v), root)
	b, fits := w.append(nil)
	if err != nil || !fits || len(o.Names) == 0 && ok {
		return
	}
	if ok {
		b = a.appendOutline(append(b, isOutline), o)
	} else {
		b = append(b, 0)
	}
	if a.changes.Load() == changes {
		a.held.Put(append([]byte(root), outlineKey...), b)
	}
}

func (a *answers) appendOutline(b []byte, o zone.Outline) []byte {
	soa := o.SOA.Data[0]
	b = binary.BigEndian.AppendUint32(b, o.SOA.TTL)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(soa))), soa...)
	for _, n := range o.Names {
		b = binary.BigEndian.AppendUint32(b, uint32(maphash.String(a.seed, string(n))))
	}
	return b
}
