package speaker

import (
	"net/netip"
	"slices"

	api "github.com/osrg/gobgp/v3/api"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"namecast/lib/route"
)

// origin IGP (RFC 4271, section 5.1.1), and the segment AS_SEQUENCE (section 4.3).
const (
	originIGP  = 0
	asSequence = 2
)

// path is a route in the library's words. An unspecified next hop becomes the
// session's own address when it is sent, or NextHop6 by the policy.
func path(p netip.Prefix, r Route, as uint32) (*api.Path, error) {
	nlri, err := anypb.New(&api.IPAddressPrefix{Prefix: p.Addr().String(), PrefixLen: uint32(p.Bits())})
	if err != nil {
		return nil, err
	}
	family := ipv4
	attrs := []proto.Message{&api.OriginAttribute{Origin: originIGP}}
	if p.Addr().Is4() {
		attrs = append(attrs, &api.NextHopAttribute{NextHop: "0.0.0.0"})
	} else {
		family = ipv6
		attrs = append(attrs, &api.MpReachNLRIAttribute{Family: family, NextHops: []string{"::"}, Nlris: []*anypb.Any{nlri}})
	}
	path := &api.Path{Family: family, Nlri: nlri}
	for _, a := range append(attrs, chosen(r, as)...) {
		packed, err := anypb.New(a)
		if err != nil {
			return nil, err
		}
		path.Pattrs = append(path.Pattrs, packed)
	}
	return path, nil
}

// chosen is the attributes that somebody has chosen, in ascending order of their
// type codes.
func chosen(r Route, as uint32) []proto.Message {
	var attrs []proto.Message
	if n := r.Attrs.Prepend; n > 0 {
		// The library adds the AS itself once more.
		numbers := slices.Repeat([]uint32{as}, n)
		attrs = append(attrs, &api.AsPathAttribute{Segments: []*api.AsSegment{{Type: asSequence, Numbers: numbers}}})
	}
	if r.Attrs.MED != nil {
		attrs = append(attrs, &api.MultiExitDiscAttribute{Med: *r.Attrs.MED})
	}
	communities := r.Attrs.Communities
	if r.Is == route.Drained && !slices.Contains(communities, route.GracefulShutdown) {
		communities = append(slices.Clone(communities), route.GracefulShutdown)
	}
	if len(communities) > 0 {
		a := &api.CommunitiesAttribute{}
		for _, c := range communities {
			a.Communities = append(a.Communities, uint32(c))
		}
		attrs = append(attrs, a)
	}
	if len(r.Attrs.Large) > 0 {
		a := &api.LargeCommunitiesAttribute{}
		for _, c := range r.Attrs.Large {
			a.Communities = append(a.Communities, &api.LargeCommunity{GlobalAdmin: c[0], LocalData1: c[1], LocalData2: c[2]})
		}
		attrs = append(attrs, a)
	}
	return attrs
}
