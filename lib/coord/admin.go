package coord

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"namecast/lib/ca"
	"namecast/lib/chain"
	"namecast/lib/chain/plan"
	"namecast/lib/chain/replica"
)

var _ ca.Ledger = (*Coord)(nil)

// Report tells the controller something about a chain. What the picture has already
// is not written again.
func (c *Coord) Report(ctx context.Context, id chain.ID, r replica.Report) error {
	what := fmt.Sprintf("report about chain %d", id)
	known := c.Picture().Reports[id]
	last, ok := map[replica.ReportKind]plan.Report{
		replica.Ready: known.Ready, replica.Stalled: known.Stalled, replica.Fenced: known.Fenced, replica.Silent: known.Silent,
	}[r.Kind]
	if !ok || id >= chain.Chains {
		return fmt.Errorf("%s: %w: kind %d", what, ErrBad, r.Kind)
	}
	if err := checkName(r.Member.Node); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if last == (plan.Report{Epoch: r.Epoch, Member: r.Member}) {
		return nil
	}
	text := encode(reportText{Epoch: r.Epoch, Member: textMember(r.Member)})
	_, _, err := c.reports.do(ctx, c, what, nil, clientv3.OpPut(keyReport(id, r.Kind), text))
	return err
}

// SetDrain says whether a node is to hold nothing. ErrNode if there is no such node.
func (c *Coord) SetDrain(ctx context.Context, node string, drain bool) error {
	return c.editNode(ctx, "drain node "+node, node, func(r *record, _ cell) error {
		r.Drain = drain
		return nil
	})
}

// RemoveNode takes a node out of the cluster that is not live and in no row of the
// table. It comes back only if it joins anew, with another key. ErrNode, ErrInUse.
func (c *Coord) RemoveNode(ctx context.Context, node string) error {
	what := "remove node " + node
	for _, row := range c.Picture().Rows {
		if !row.Node(node).IsZero() || row.Recruit.Node == node {
			return fmt.Errorf("%s: %w: it is in the row of chain %d", what, ErrInUse, row.Chain)
		}
	}
	return c.editNode(ctx, what, node, func(r *record, live cell) error {
		if live.rev != 0 {
			return fmt.Errorf("%s: %w: it is live", what, ErrInUse)
		}
		r.Removed = true
		return nil
	})
}

// editNode changes a node's record.
func (c *Coord) editNode(ctx context.Context, what, node string, edit func(*record, cell) error) error {
	if err := checkName(node); err != nil {
		return err
	}
	key := preNode + node
	_, err := c.update(ctx, what, []string{key, preLive + node}, func(now []cell) ([]clientv3.Op, error) {
		if now[0].rev == 0 {
			return nil, fmt.Errorf("%s: %w", what, ErrNode)
		}
		r, err := parseRecord([]byte(now[0].value))
		if err != nil {
			return nil, err
		}
		if r.Removed {
			return nil, fmt.Errorf("%s: %w", what, ErrNode)
		}
		was := r
		if err = edit(&r, now[1]); err != nil || r == was {
			return nil, err
		}
		return []clientv3.Op{clientv3.OpPut(key, encode(r))}, nil
	})
	return err
}

// SetReplicas says how many members a chain should have, 1 to 16. ErrNode if no node
// has ever registered.
func (c *Coord) SetReplicas(ctx context.Context, n int) error {
	what := fmt.Sprintf("set %d replicas", n)
	_, err := c.update(ctx, what, []string{keyCluster}, func(now []cell) ([]clientv3.Op, error) {
		if now[0].rev == 0 {
			return nil, fmt.Errorf("%s: %w", what, ErrNode)
		}
		s, err := parseSettings([]byte(now[0].value))
		if err != nil || s.Replicas == n {
			return nil, err
		}
		s.Replicas = n
		if err := s.check(); err != nil {
			return nil, err
		}
		return []clientv3.Op{clientv3.OpPut(keyCluster, encode(textSettings(s)))}, nil
	})
	return err
}

// maxNonce is the longest nonce of a token, in octets.
const maxNonce = 128

// Spend implements ca.Ledger. What was written down goes a while after the token's end.
func (c *Coord) Spend(ctx context.Context, nonce string, request [sha256.Size]byte, until time.Time) error {
	const what = "spend a token"
	if nonce == "" || len(nonce) > maxNonce {
		return fmt.Errorf("%s: %w: nonce of %d octets", what, ErrBad, len(nonce))
	}
	key, text := preToken+hex.EncodeToString([]byte(nonce)), hex.EncodeToString(request[:])
	now, err := c.read(ctx, what, key)
	if err != nil {
		return err
	}
	if now[0].rev == 0 {
		// The clocks of issuers differ, so it is kept for longer than needed.
		lease, err := c.grant(ctx, max(time.Until(until), 0)+time.Hour)
		if err != nil {
			return err
		}
		ok, _, cells, err := c.try(ctx, what, []guard{{key, 0}}, clientv3.OpPut(key, text, clientv3.WithLease(lease)))
		if err != nil || ok {
			return err
		}
		c.revoke(ctx, lease)
		now = cells
	}
	if now[0].value != text {
		return fmt.Errorf("%s: %w", what, ca.ErrSpent)
	}
	return nil
}
