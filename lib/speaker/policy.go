package speaker

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	api "github.com/osrg/gobgp/v3/api"
)

// guard sets the policies: only what this node has said itself, and only of its own
// prefixes, is taken into the table, and only that leaves it. The library asks the
// import policy about the node's own routes too, so it must not reject everything.
func (l *library) guard(ctx context.Context, c Config) error {
	own := map[*api.Family][]*api.Prefix{}
	for _, p := range slices.Concat(c.Prefixes, c.Fallback) {
		bits := uint32(p.Bits())
		own[family(p)] = append(own[family(p)], &api.Prefix{IpPrefix: p.String(), MaskLengthMin: bits, MaskLengthMax: bits})
	}
	var take, tell []*api.Statement
	for f, prefixes := range own {
		set := setName(f)
		err := l.server.AddDefinedSet(ctx, &api.AddDefinedSetRequest{DefinedSet: &api.DefinedSet{
			DefinedType: api.DefinedType_PREFIX, Name: set, Prefixes: prefixes,
		}})
		if err != nil {
			return err
		}
		take = append(take, accept("take-"+set, set, "", netip.Addr{}))
		if f == ipv6 {
			next, err := l.nextHops(ctx, c, set)
			if err != nil {
				return err
			}
			tell = append(tell, next...)
		}
		tell = append(tell, accept("tell-"+set, set, "", netip.Addr{}))
	}
	if err := l.assign(ctx, api.PolicyDirection_IMPORT, "take", take); err != nil {
		return err
	}
	return l.assign(ctx, api.PolicyDirection_EXPORT, "tell", tell)
}

// nextHops makes the statements that set the next hop of IPv6 routes told over IPv4,
// which the session itself does not have.
func (l *library) nextHops(ctx context.Context, c Config, set string) ([]*api.Statement, error) {
	var list []*api.Statement
	for i, n := range c.Neighbors {
		if !n.NextHop6.IsValid() {
			continue
		}
		name := fmt.Sprintf("neighbour-%d", i)
		err := l.server.AddDefinedSet(ctx, &api.AddDefinedSetRequest{DefinedSet: &api.DefinedSet{
			DefinedType: api.DefinedType_NEIGHBOR, Name: name, List: []string{netip.PrefixFrom(n.Addr, n.Addr.BitLen()).String()},
		}})
		if err != nil {
			return nil, err
		}
		list = append(list, accept("tell-"+set+"-"+name, set, name, n.NextHop6))
	}
	return list, nil
}

// accept is the statement that accepts what is of this node and of a set of
// prefixes. A set of neighbours and a next hop are optional.
func accept(name, prefixes, neighbors string, next netip.Addr) *api.Statement {
	s := &api.Statement{
		Name: name,
		Conditions: &api.Conditions{
			PrefixSet: &api.MatchSet{Type: api.MatchSet_ANY, Name: prefixes},
			RouteType: api.Conditions_ROUTE_TYPE_LOCAL,
		},
		Actions: &api.Actions{RouteAction: api.RouteAction_ACCEPT},
	}
	if neighbors != "" {
		s.Conditions.NeighborSet = &api.MatchSet{Type: api.MatchSet_ANY, Name: neighbors}
	}
	if next.IsValid() {
		s.Actions.Nexthop = &api.NexthopAction{Address: next.String()}
	}
	return s
}

// assign makes the statements the policy of a direction; what none accepts is
// rejected.
func (l *library) assign(ctx context.Context, d api.PolicyDirection, name string, statements []*api.Statement) error {
	err := l.server.AddPolicy(ctx, &api.AddPolicyRequest{Policy: &api.Policy{Name: name, Statements: statements}})
	if err != nil {
		return err
	}
	return l.server.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
		Name: "global", Direction: d, Policies: []*api.Policy{{Name: name}}, DefaultAction: api.RouteAction_REJECT,
	}})
}

// family is that of a prefix.
func family(p netip.Prefix) *api.Family {
	if p.Addr().Is4() {
		return ipv4
	}
	return ipv6
}

// setName names the set of the node's own prefixes of a family.
func setName(f *api.Family) string {
	if f == ipv4 {
		return "own4"
	}
	return "own6"
}
