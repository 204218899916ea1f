package coord

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"namecast/lib/ca"
	"namecast/lib/clock"
)

// again is how long a member waits before it asks again to be let in.
const again = 200 * time.Millisecond

// join has the member added to a cluster as a learner, and gives the members that the
// cluster has then, as etcd wants them. One that was added and never started takes
// up its place. One whose data are lost gets another.
func (c *MemberConfig) join(ctx context.Context) (string, error) {
	client, err := connect(c.Join, func() ca.Identity { return c.loaded })
	if err != nil {
		return "", err
	}
	defer client.Close()
	last := ""
	for {
		within, cancel := context.WithTimeout(ctx, patience)
		members, err := c.joinOnce(within, client)
		cancel()
		if err == nil {
			return initialOf(members, c), nil
		}
		if ctx.Err() != nil {
			return "", fmt.Errorf("join: %w: %v", ctx.Err(), err)
		}
		if err.Error() != last {
			last = err.Error()
			c.Log.Info("the coordinator's members do not let this one in yet", "error", last)
		}
		clock.Sleep(ctx, again)
	}
}

func (c *MemberConfig) joinOnce(ctx context.Context, client *clientv3.Client) ([]*pb.Member, error) {
	list, err := client.MemberList(ctx)
	if err != nil {
		return nil, err
	}
	learner := ""
	for _, m := range list.Members {
		mine := slices.Contains(m.PeerURLs, c.peerURL())
		if mine && m.Name == "" {
			return list.Members, nil
		}
		if mine || m.Name == c.Name {
			if _, err := client.MemberRemove(ctx, m.ID); err != nil {
				return nil, err
			}
		} else if m.IsLearner {
			learner = cmp.Or(m.Name, "another")
		}
	}
	if learner != "" { // etcd takes one at a time, and keeps a trace of those that it refuses
		return nil, fmt.Errorf("%s is on its way in", learner)
	}
	added, err := client.MemberAddAsLearner(ctx, []string{c.peerURL()})
	if err != nil {
		return nil, err
	}
	return added.Members, nil
}

// initialOf names the members of a cluster. The names of those that were never
// started are not known, and do not matter.
func initialOf(members []*pb.Member, c *MemberConfig) string {
	var all []string
	for _, m := range members {
		name := m.Name
		if name == "" {
			name = fmt.Sprintf("member-%x", m.ID)
		}
		if slices.Contains(m.PeerURLs, c.peerURL()) {
			name = c.Name
		}
		for _, u := range m.PeerURLs {
			all = append(all, name+"="+u)
		}
	}
	return strings.Join(all, ",")
}

// settle makes a member full that is a learner yet, and tells the others its
// address if that has changed.
func settle(ctx context.Context, client *clientv3.Client, id uint64, url string) error {
	for {
		within, cancel := context.WithTimeout(ctx, patience)
		done, err := settleOnce(within, client, id, url)
		cancel()
		if done {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("become a full member: %w: %v", ctx.Err(), err)
		}
		clock.Sleep(ctx, again)
	}
}

func settleOnce(ctx context.Context, client *clientv3.Client, id uint64, url string) (bool, error) {
	list, err := client.Cluster.MemberList(ctx, clientv3.WithSerializable())
	if err != nil {
		return false, err
	}
	at := slices.IndexFunc(list.Members, func(m *pb.Member) bool { return m.ID == id })
	if at < 0 {
		return false, errors.New("it is not in the list of members")
	}
	me := list.Members[at]
	if me.IsLearner {
		_, err := client.MemberPromote(ctx, id)
		if err != nil && !errors.Is(err, rpctypes.ErrMemberNotLearner) {
			return false, err
		}
	}
	if slices.Equal(me.PeerURLs, []string{url}) {
		return true, nil
	}
	_, err = client.MemberUpdate(ctx, id, []string{url})
	return err == nil, err
}

// A MemberStatus is what an operator can be shown of a member of the coordinator.
type MemberStatus struct {
	Name         string // "" if it was never started
	Peer, Client string // addresses, "" where there are none
	Learner      bool   // it does not count yet
}

// Members lists the members of the coordinator.
func (c *Coord) Members(ctx context.Context) ([]MemberStatus, error) {
	turn := c.turns.now()
	list, err := c.client().MemberList(ctx)
	c.turns.took(turn, err)
	if err != nil {
		return nil, unavailable(ctx, "list the coordinator's members", err)
	}
	var all []MemberStatus
	for _, m := range list.Members {
		s := MemberStatus{Name: m.Name, Learner: m.IsLearner, Client: address(m.ClientURLs)}
		if s.Peer = address(m.PeerURLs); "http://"+s.Peer == alone {
			s.Peer = ""
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b MemberStatus) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// address is the first of some URLs without its scheme.
func address(urls []string) string {
	if len(urls) == 0 {
		return ""
	}
	_, addr, _ := strings.Cut(urls[0], "://")
	return addr
}

// RemoveMember takes a member out of the coordinator that does not come back.
// ErrNode if there is no such member.
func (c *Coord) RemoveMember(ctx context.Context, name string) error {
	what := "remove member " + name
	turn := c.turns.now()
	list, err := c.client().MemberList(ctx)
	c.turns.took(turn, err)
	if err != nil {
		return unavailable(ctx, what, err)
	}
	for _, m := range list.Members {
		if m.Name == name {
			if err := c.removeByTurns(ctx, m.ID); err != nil {
				return unavailable(ctx, what, err)
			}
			return nil
		}
	}
	return fmt.Errorf("%s: %w", what, ErrNode)
}

// removeByTurns removes a member. If it was that one that was asked, it stops before it
// answers, and another is asked.
func (c *Coord) removeByTurns(ctx context.Context, id uint64) error {
	for {
		turn := c.turns.now()
		err := removeMember(ctx, c.client(), id)
		c.turns.took(turn, err)
		if !errors.Is(err, rpctypes.ErrStopped) || !clock.Sleep(ctx, again) {
			return err
		}
	}
}

// removeMember removes a member. etcd refuses that as long as members that are
// needed have not been connected for some seconds, and an answer may get lost.
func removeMember(ctx context.Context, client *clientv3.Client, id uint64) error {
	for {
		within, cancel := context.WithTimeout(ctx, patience)
		_, err := client.MemberRemove(within, id)
		late := within.Err() != nil
		cancel()
		switch {
		case errors.Is(err, rpctypes.ErrMemberNotFound):
			return nil // an earlier try has done it
		case ctx.Err() != nil || !late && !errors.Is(err, rpctypes.ErrUnhealthy):
			return err
		}
		clock.Sleep(ctx, again)
	}
}
