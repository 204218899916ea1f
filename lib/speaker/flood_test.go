package speaker

import (
	"context"
	"encoding/binary"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"namecast/lib/route"
)

// update announces prefixes of IPv4 with usual attributes.
func update(prefixes ...netip.Prefix) []byte {
	attrs := []byte{
		0x40, 1, 1, 0, // ORIGIN IGP
		0x40, 2, 6, 2, 1, 0, 0, otherAS >> 8, otherAS & 0xff, // AS_PATH
		0x40, 3, 4, 127, 0, 0, 1, // NEXT_HOP
	}
	return withAttrs(attrs, prefixes...)
}

// withAttrs announces prefixes of IPv4 with these attributes.
func withAttrs(attrs []byte, prefixes ...netip.Prefix) []byte {
	body := binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(len(attrs)))
	body = append(body, attrs...)
	for _, p := range prefixes {
		a := p.Addr().As4()
		body = append(append(body, byte(p.Bits())), a[:(p.Bits()+7)/8]...)
	}
	return message(bgp.BGP_MSG_UPDATE, body)
}

// received is how many prefixes the library has from a neighbour.
func received(s *Speaker, n *neighbor) uint64 {
	total := uint64(0)
	_ = s.lib.server.ListPeer(context.Background(), &api.ListPeerRequest{Address: n.config().Addr.String()}, func(p *api.Peer) {
		for _, f := range p.AfiSafis {
			total += f.State.Received
		}
	})
	return total
}

// many makes messages that announce so many prefixes of /24, from 20.0.0.0 on.
func many(count int) []byte {
	var out []byte
	for i := 0; i < count; {
		var list []netip.Prefix
		for ; i < count && len(list) < 500; i++ {
			list = append(list, netip.PrefixFrom(netip.AddrFrom4([4]byte{20 + byte(i>>16), byte(i >> 8), byte(i), 0}), 24))
		}
		out = append(out, update(list...)...)
	}
	return out
}

// TestTable: a neighbour that sends a large table costs some memory and nothing
// else; a withdrawal does not wait until it is read.
func TestTable(t *testing.T) {
	const count = 50_000
	a, b := newNeighbor(t, "127.0.0.1"), newNeighbor(t, "127.0.0.2")
	s := begin(t, nil, a, b)
	ca := a.session()
	b.session()
	wish(t, s, own4, route.Announced, route.Attrs{})
	a.routes()
	b.routes()
	before := heap()
	if _, err := ca.Write(many(count)); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	wish(t, s, own4, route.Withdrawn, route.Attrs{})
	for _, n := range []*neighbor{b, a} {
		if _, withdrawn, _ := n.routes(); !slices.Equal(withdrawn, []string{own4.String()}) {
			t.Errorf("withdrawn %v", withdrawn)
		}
	}
	t.Logf("withdrawn after %s, with %d prefixes received", time.Since(began), received(s, a))
	until(t, "the library has it", func() bool { return received(s, a) == count })
	per := (heap() - before) / count
	t.Logf("%d octets a prefix", per)
	if per > 3000 {
		t.Errorf("%d octets a prefix", per)
	}
	wish(t, s, own4, route.Drained, route.Attrs{})
	for _, n := range []*neighbor{a, b} {
		if announced, _, _ := n.routes(); !slices.Equal(announced, []string{own4.String()}) {
			t.Errorf("told %v", announced)
		}
		n.silent()
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestTooManyPrefixes: the session is closed for a while, the other one stays.
func TestTooManyPrefixes(t *testing.T) {
	a, b := newNeighbor(t, "127.0.0.1"), newNeighbor(t, "127.0.0.2")
	s := begin(t, func(c *Config) { c.Neighbors[0].MaxPrefixes = 100 }, a, b)
	ca := a.session()
	b.session()
	wish(t, s, own4, route.Announced, route.Attrs{})
	a.routes()
	b.routes()
	if _, err := ca.Write(many(100)); err != nil {
		t.Fatal(err)
	}
	until(t, "the library has it", func() bool { return received(s, a) == 100 })
	if _, err := ca.Write(many(101)); err != nil {
		t.Fatal(err)
	}
	until(t, "closed", func() bool { return s.Peers()[0].Is == route.Down })
	a.ended()
	until(t, "1 of 1", func() bool { out, of := s.Out(own4); return out == 1 && of == 1 })
	if got := received(s, a); got != 0 {
		t.Errorf("%d prefixes are kept", got)
	}
	b.silent()
	if err := s.lib.enable(a.config().Addr); err != nil {
		t.Fatal(err)
	}
	a.session()
	if announced, _, _ := a.routes(); !slices.Equal(announced, []string{own4.String()}) {
		t.Errorf("told %v", announced)
	}
	until(t, "2 of 2", func() bool { out, of := s.Out(own4); return out == 2 && of == 2 })
}
