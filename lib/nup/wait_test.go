package nup

import (
	"bytes"
	"math"
	"testing"
	"time"

	"namecast/lib/rr"
)

// waitPacket is a small signed request.
func waitPacket(t testing.TB) []byte {
	t.Helper()
	m := &maker{t, dsaKey(t), edKey(t, 1), nil}
	return m.p1(v1(0, "\x03www", rr.TypeA, 300, "\xc0\x00\x02\x01"))
}

func TestWait(t *testing.T) {
	packet := waitPacket(t)
	for asked, want := range map[time.Duration]time.Duration{
		0: 0, -1: 0, time.Nanosecond: time.Millisecond, 1500 * time.Millisecond: 1500 * time.Millisecond,
		time.Minute: time.Minute, time.Hour: time.Minute, math.MaxInt64: time.Minute,
	} {
		b := AppendWait(bytes.Clone(packet), asked)
		if len(b) != len(packet)+8 {
			t.Errorf("%d octets more", len(b)-len(packet))
		}
		got, wait := CutWait(b)
		if !bytes.Equal(got, packet) || wait != want {
			t.Errorf("%v came out as %v, of %d octets", asked, wait, len(got))
		}
		if _, err := ParseDatagram(b); err == nil {
			t.Error("a node that does not know waits takes it")
		}
	}
	// A wait that is more than a node takes counts as the most.
	if _, wait := CutWait(append(bytes.Clone(packet), "wait\xff\xff\xff\xff"...)); wait != MaxWait {
		t.Errorf("the longest is %v", wait)
	}
}

// TestNoWait: what is no wait is left to the packet, and what stands in the
// packet is no wait.
func TestNoWait(t *testing.T) {
	packet := waitPacket(t)
	for name, b := range map[string][]byte{
		"none":       packet,
		"nothing":    {},
		"short":      []byte("wait\x00\x00"),
		"alone":      []byte("wait\x00\x00\x00\x01"),
		"cut off":    append(bytes.Clone(packet), "wait\x00\x00\x00"...),
		"longer":     append(bytes.Clone(packet), "wait\x00\x00\x00\x01\x00"...),
		"other":      append(bytes.Clone(packet), "Wait\x00\x00\x00\x01"...),
		"twice":      AppendWait(AppendWait(bytes.Clone(packet), 1), 1),
		"signature":  append(bytes.Clone(packet[:len(packet)-8]), "wait\x00\x00\x00\x01"...),
		"not packet": append([]byte("something else"), "wait\x00\x00\x00\x01"...),
	} {
		if got, wait := CutWait(b); wait != 0 || !bytes.Equal(got, b) {
			t.Errorf("%s: %v, %d of %d octets", name, wait, len(got), len(b))
		}
	}
}

func FuzzWait(f *testing.F) {
	f.Add(AppendWait(waitPacket(f), time.Second))
	f.Add([]byte("Namecastwait\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		packet, wait := CutWait(b)
		if !bytes.HasPrefix(b, packet) || wait < 0 || wait > MaxWait {
			t.Errorf("%d of %d octets, %v", len(packet), len(b), wait)
		}
		if len(packet) < len(b) {
			if _, n, err := Parse(packet); err != nil || n != len(packet) {
				t.Errorf("what is left is no packet: %v", err)
			}
		}
	})
}
