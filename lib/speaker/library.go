package speaker

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"

	"namecast/lib/route"
)

// The address families that are spoken.
var (
	ipv4 = &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}
	ipv6 = &api.Family{Afi: api.Family_AFI_IP6, Safi: api.Family_SAFI_UNICAST}
)

// connectRetry is the time between attempts to connect, in seconds, to which the
// library adds up to as much by chance. Its own 120 would have a node wait for minutes
// after its router was restarted.
const connectRetry = 2

// library is a BGP server of GoBGP.
type library struct {
	server *server.BgpServer
	as     uint32
}

// start runs a server with all neighbours of c. peerIs is called on each change of a
// session until ctx ends, and must not wait.
func start(ctx context.Context, c Config, peerIs func(netip.Addr, route.Condition)) (*library, error) {
	l := &library{server: server.NewBgpServer(server.LoggerOption(newLogger(c.Log))), as: c.AS}
	go l.server.Serve()
	err := l.server.StartBgp(ctx, &api.StartBgpRequest{Global: &api.Global{
		Asn: c.AS, RouterId: c.ID.String(), ListenPort: -1,
	}})
	if err != nil {
		return nil, err
	}
	if err := l.guard(ctx, c); err != nil {
		return nil, fmt.Errorf("set the policy: %w", err)
	}
	err = l.server.WatchEvent(ctx, &api.WatchEventRequest{Peer: &api.WatchEventRequest_Peer{}}, func(r *api.WatchEventResponse) {
		if p := r.GetPeer().GetPeer(); p != nil {
			if addr, err := netip.ParseAddr(p.State.NeighborAddress); err == nil {
				peerIs(addr, condition(p.State))
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for _, n := range c.Neighbors {
		if err := l.server.AddPeer(ctx, &api.AddPeerRequest{Peer: peer(n)}); err != nil {
			return nil, fmt.Errorf("neighbour %s: %w", n.Addr, err)
		}
	}
	return l, nil
}

// condition is the state of a session in our words.
func condition(s *api.PeerState) route.Condition {
	if s.AdminState != api.PeerState_UP {
		return route.Down
	}
	switch s.SessionState {
	case api.PeerState_CONNECT:
		return route.Connect
	case api.PeerState_ACTIVE:
		return route.Active
	case api.PeerState_OPENSENT:
		return route.OpenSent
	case api.PeerState_OPENCONFIRM:
		return route.OpenConfirm
	case api.PeerState_ESTABLISHED:
		return route.Established
	}
	return route.Idle
}

// peer is a neighbour in the library's words.
func peer(n Neighbor) *api.Peer {
	hold := uint64(n.Hold / time.Second)
	p := &api.Peer{
		Conf: &api.PeerConf{NeighborAddress: n.Addr.String(), PeerAsn: n.AS, AuthPassword: n.Password},
		Timers: &api.Timers{Config: &api.TimersConfig{
			HoldTime: hold, KeepaliveInterval: hold / 3, ConnectRetry: connectRetry,
		}},
		Transport: &api.Transport{RemotePort: uint32(n.Port)},
	}
	if n.Source.IsValid() {
		p.Transport.LocalAddress = n.Source.String()
	}
	if n.GTSM {
		p.TtlSecurity = &api.TtlSecurity{Enabled: true, TtlMin: 255}
	}
	if n.Multihop > 0 {
		p.EbgpMultihop = &api.EbgpMultihop{Enabled: true, MultihopTtl: uint32(n.Multihop)}
	}
	limit := n.MaxPrefixes
	if limit == 0 {
		limit = DefaultMaxPrefixes
	}
	for _, f := range []struct {
		family *api.Family
		spoken bool
	}{{ipv4, n.Addr.Is4()}, {ipv6, n.Addr.Is6() || n.NextHop6.IsValid()}} {
		if f.spoken {
			p.AfiSafis = append(p.AfiSafis, &api.AfiSafi{
				Config:       &api.AfiSafiConfig{Family: f.family, Enabled: true},
				PrefixLimits: &api.PrefixLimit{Family: f.family, MaxPrefixes: uint32(limit), ShutdownThresholdPct: 1},
			})
		}
	}
	return p
}

// set announces a route, in the place of what was announced for its prefix, or
// withdraws it.
func (l *library) set(p netip.Prefix, r Route) error {
	path, err := path(p, r, l.as)
	if err != nil {
		return err
	}
	if !r.announced() {
		return l.server.DeletePath(context.Background(), &api.DeletePathRequest{Path: path})
	}
	_, err = l.server.AddPath(context.Background(), &api.AddPathRequest{Path: path})
	return err
}

// out gives the prefixes that a neighbour is told.
func (l *library) out(neighbor netip.Addr) map[netip.Prefix]bool {
	list := map[netip.Prefix]bool{}
	for _, family := range []*api.Family{ipv4, ipv6} {
		r := &api.ListPathRequest{TableType: api.TableType_ADJ_OUT, Name: neighbor.String(), Family: family}
		// An error is that of a neighbour without this family, which is told nothing.
		_ = l.server.ListPath(context.Background(), r, func(d *api.Destination) {
			if p, err := netip.ParsePrefix(strings.TrimSpace(d.Prefix)); err == nil {
				list[p] = true
			}
		})
	}
	return list
}

// enable ends the silence to a neighbour that had sent too many prefixes.
func (l *library) enable(neighbor netip.Addr) error {
	return l.server.EnablePeer(context.Background(), &api.EnablePeerRequest{Address: neighbor.String()})
}

// renew forgets a neighbour and begins anew with it, which the library does without
// the pause that it makes after a session.
func (l *library) renew(n Neighbor) error {
	// It is not there if this is done again because the second step has failed.
	_ = l.server.DeletePeer(context.Background(), &api.DeletePeerRequest{Address: n.Addr.String()})
	return l.server.AddPeer(context.Background(), &api.AddPeerRequest{Peer: peer(n)})
}

// close withdraws everything and ends all sessions. It may never return.
func (l *library) close() {
	ctx := context.Background()
	for _, family := range []*api.Family{ipv4, ipv6} {
		// Whatever it answers, the end of the sessions says the same.
		_ = l.server.DeletePath(ctx, &api.DeletePathRequest{Family: family})
	}
	_ = l.server.StopBgp(ctx, &api.StopBgpRequest{})
}
