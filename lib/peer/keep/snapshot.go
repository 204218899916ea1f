package keep

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"namecast/lib/peer/packet"
	"namecast/lib/rr"
)

// ErrSnapshot says that a snapshot is cut off, changed, or of another form.
var ErrSnapshot = errors.New("not a whole snapshot")

// magic begins a snapshot. The octet before its end is the number of the form: '2', or
// '1', in which entries have no sealed part.
const magic = "nckeep2\n"

// form1 and form2 are the forms.
const (
	form1 = '1'
	form2 = '2'
)

// maxSnapshot bounds what is read, in octets.
const maxSnapshot = 256 << 20

// A Moment is when a snapshot is written or read.
type Moment struct {
	Now  time.Duration // since the machine was started
	Boot string        // names that start, such as Linux's boot_id; at most 255 octets
	Wall int64         // seconds since 1970, which may be wrong
}

// since is how long ago the moment m was, at least: by the same clock if the machine was
// not started anew, else by that of the wall if it went on, and not less than the
// machine has been up.
func (at Moment) since(m Moment) time.Duration {
	if at.Boot == m.Boot && at.Now >= m.Now {
		return at.Now - m.Now
	}
	wall := time.Duration(0)
	if gone := at.Wall - m.Wall; gone > 0 {
		wall = time.Duration(min(gone, 1<<32)) * time.Second
	}
	return max(wall, at.Now)
}

// flags of an entry in a snapshot.
const (
	flagDO = 1 << iota
	flagCD
	flagFirst
	flagAgreed
	flagWanted
	flagPut
)

// fixed is the part of an entry in a snapshot that has always the same length. Times are
// in milliseconds before the snapshot.
type fixed struct {
	Net          uint64
	Type         uint16
	Flags, State uint8
	Rank         int8
	Origin, From packet.NodeID
	Age, Asked   uint64
	Put          uint64
	PutTo        [3]packet.NodeID
	Interest     float32
	Name         uint8  // octets
	Msg          uint16 // octets
}

// sealed is what follows that of the verdict's bounds.
type sealed struct {
	Until  int64 // milliseconds from the snapshot to the end of the signatures; 0: not known
	MaxTTL uint32
}

// fixedLen and sealedLen are their lengths in a snapshot.
var fixedLen, sealedLen = binary.Size(fixed{}), binary.Size(sealed{})

// Snapshot writes all entries. A file of it tells what the clients asked for, and is for
// nobody else's eyes. Its form is
//
//	"nckeep2\n" | now 8 | wall 8 | boot 1+n | entries | SHA-256 of all before
//
// with an entry as its fixed and its sealed part, its name and its message.
func (c *Cache) Snapshot(w io.Writer, m Moment) error {
	if len(m.Boot) > 255 {
		m.Boot = m.Boot[:255]
	}
	sum := sha256.New()
	out := io.MultiWriter(w, sum)
	head := append([]byte(magic), make([]byte, 16)...)
	binary.BigEndian.PutUint64(head[8:], uint64(m.Now))
	binary.BigEndian.PutUint64(head[16:], uint64(m.Wall))
	head = append(append(head, byte(len(m.Boot))), m.Boot...)
	if _, err := out.Write(head); err != nil {
		return err
	}
	var buf []byte
	for _, e := range c.all {
		if len(e.Msg) > math.MaxUint16 {
			continue
		}
		var err error
		if buf, err = e.append(buf[:0], m.Now); err != nil {
			return err
		}
		if _, err := out.Write(buf); err != nil {
			return err
		}
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}

// append adds an entry.
func (e *Entry) append(b []byte, now time.Duration) ([]byte, error) {
	b, err := binary.Append(b, binary.BigEndian, e.fixed(now))
	if err == nil {
		b, err = binary.Append(b, binary.BigEndian, e.sealed(now))
	}
	return append(append(b, e.Name...), e.Msg...), err
}

// sealed gives an entry's sealed part.
func (e *Entry) sealed(now time.Duration) *sealed {
	s := &sealed{MaxTTL: e.MaxTTL}
	if e.Until != 0 {
		if s.Until = int64((e.Until - now) / time.Millisecond); s.Until == 0 {
			s.Until = -1 // 0 is not known
		}
	}
	return s
}

// fixed gives an entry's fixed part.
func (e *Entry) fixed(now time.Duration) *fixed {
	f := &fixed{
		Net: e.Net, Type: e.Type, State: uint8(e.State), Rank: e.Rank, Origin: e.Origin, From: e.From,
		Age: ago(now, e.Base), PutTo: e.PutTo, Interest: e.Interest(now),
		Name: uint8(len(e.Name)), Msg: uint16(len(e.Msg)),
	}
	set := func(is bool, flag uint8) {
		if is {
			f.Flags |= flag
		}
	}
	set(e.DO, flagDO)
	set(e.CD, flagCD)
	set(e.First, flagFirst)
	set(e.Agreed, flagAgreed)
	set(e.wanted, flagWanted)
	set(e.Put != 0, flagPut)
	if e.wanted {
		f.Asked = ago(now, e.asked)
	}
	if e.Put != 0 {
		f.Put = ago(now, e.Put)
	}
	return f
}

// ago is the time before now, in milliseconds.
func ago(now, then time.Duration) uint64 { return uint64(max(0, now-then) / time.Millisecond) }

// Load puts the entries of a snapshot into the cache as far as they are still to be
// kept, and gives their number. Until they are renewed they are past their time: whether
// they are could be told only by a clock that has run all the while. If the error is
// ErrSnapshot nothing was put.
func (c *Cache) Load(r io.Reader, m Moment) (int, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSnapshot))
	if err != nil {
		return 0, fmt.Errorf("read snapshot: %w", err)
	}
	body, form, was, err := head(data)
	if err != nil {
		return 0, err
	}
	gone := m.since(was)
	var some []*Entry
	for len(body) > 0 {
		var e *Entry
		if e, body, err = parseEntry(body, form, m.Now, gone); err != nil {
			return 0, err
		}
		some = append(some, e)
	}
	n := 0
	for _, e := range some {
		if c.Get(e.Key) == nil && c.refuse(m.Now, e, nil) == nil && c.room(m.Now, e) == nil {
			c.insert(m.Now, e)
			n++
		}
	}
	return n, nil
}

// head checks a snapshot and gives what is between its head and its sum, and its form.
func head(data []byte) (body []byte, form byte, was Moment, err error) {
	const n = len(magic) + 17
	if len(data) < n+sha256.Size {
		return nil, 0, was, ErrSnapshot
	}
	const at = len(magic) - 2
	form = data[at]
	if string(data[:at]) != magic[:at] || data[at+1] != '\n' || form != form1 && form != form2 {
		return nil, 0, was, ErrSnapshot
	}
	end := len(data) - sha256.Size
	sum := sha256.New()
	sum.Write(data[:end])
	boot := n + int(data[n-1])
	if !bytes.Equal(sum.Sum(nil), data[end:]) || boot > end {
		return nil, 0, was, ErrSnapshot
	}
	was.Now = time.Duration(binary.BigEndian.Uint64(data[8:]))
	was.Wall = int64(binary.BigEndian.Uint64(data[16:]))
	was.Boot = string(data[n:boot])
	return data[boot:end], form, was, nil
}

// verdict is what was found of an entry.
func (s *sealed) verdict(state uint8, now, gone time.Duration) Verdict {
	v := Verdict{State: packet.State(state), MaxTTL: s.MaxTTL}
	switch {
	case s.Until > 0:
		v.Until = after(now, gone, uint64(s.Until))
	case s.Until < 0:
		v.Until = before(now, gone, -uint64(s.Until))
	}
	if s.Until != 0 && v.Until == 0 {
		v.Until = -1
	}
	return v
}

// century is about what there is more of in no snapshot.
const century = 100 * 365 * 24 * time.Hour

// after is the time that was to come ms milliseconds after the snapshot.
func after(now, gone time.Duration, ms uint64) time.Duration {
	return now - gone + time.Duration(min(ms, uint64(century/time.Millisecond)))*time.Millisecond
}

// before is the time that was ms milliseconds before the snapshot; more than a hundred
// years are taken as those.
func before(now, gone time.Duration, ms uint64) time.Duration {
	return now - gone - time.Duration(min(ms, uint64(century/time.Millisecond)))*time.Millisecond
}

// parts reads what every entry has, and gives the rest.
func parts(data []byte, form byte) (f fixed, s sealed, rest []byte, err error) {
	if _, err := binary.Decode(data, binary.BigEndian, &f); err != nil {
		return f, s, nil, ErrSnapshot
	}
	data = data[fixedLen:]
	if form == form1 {
		return f, s, data, nil
	}
	if _, err := binary.Decode(data, binary.BigEndian, &s); err != nil {
		return f, s, nil, ErrSnapshot
	}
	return f, s, data[sealedLen:], nil
}

// parseEntry reads an entry and gives the rest.
func parseEntry(data []byte, form byte, now, gone time.Duration) (*Entry, []byte, error) {
	f, s, data, err := parts(data, form)
	if err != nil {
		return nil, nil, err
	}
	if len(data) < int(f.Name)+int(f.Msg) {
		return nil, nil, ErrSnapshot
	}
	name, msg := rr.Name(data[:f.Name]), bytes.Clone(data[f.Name:int(f.Name)+int(f.Msg)])
	info, err := Describe(msg)
	if err != nil || info.Name != name || info.Type != f.Type || packet.State(f.State) > packet.Secure ||
		math.IsNaN(float64(f.Interest)) || f.Interest < 0 || f.Rank < -1 {
		return nil, nil, ErrSnapshot
	}
	e := &Entry{
		Key:   Key{Net: f.Net, Name: name, Type: f.Type, DO: f.Flags&flagDO != 0, CD: f.Flags&flagCD != 0},
		Brief: info.Brief, Msg: msg, Base: before(now, gone, f.Age), Origin: f.Origin, From: f.From,
		First: f.Flags&flagFirst != 0, Agreed: f.Flags&flagAgreed != 0, Verdict: s.verdict(f.State, now, gone),
		Rank: f.Rank, Old: true, PutTo: f.PutTo, wanted: f.Flags&flagWanted != 0, interest: f.Interest, counted: now,
	}
	if e.wanted {
		e.asked = before(now, gone, f.Asked)
	}
	if f.Flags&flagPut != 0 {
		if e.Put = before(now, gone, f.Put); e.Put == 0 {
			e.Put = -1 // 0 is never
		}
	}
	return e, data[int(f.Name)+int(f.Msg):], nil
}
