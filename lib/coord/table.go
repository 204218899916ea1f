package coord

import (
	"context"
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"

	"namecast/lib/chain"
)

// What the key table says. The rows are written in several transactions, as etcd
// bounds one, and nobody sees any before it says that all are there.
const (
	tableMaking = "making"
	tableMade   = "made"
)

// rowsAtOnce is how many rows go in one transaction.
const rowsAtOnce = 64

// Create writes the first chain table. ErrTable if there is one, ErrHeld if nodes
// have registered with data of chains, ErrDeposed.
func (t *Term) Create(ctx context.Context, rows []chain.Row) error {
	for _, n := range t.c.Picture().Nodes {
		if len(n.Held) > 0 {
			return fmt.Errorf("create the chain table: node %s: %w", n.Name, ErrHeld)
		}
	}
	return t.deposed(t.c.create(ctx, rows, []guard{{keyCtl, t.rev}}))
}

// Rebuild writes a chain table that was put together from what nodes hold, with the
// operator's consent. ErrTable if there is one.
func (c *Coord) Rebuild(ctx context.Context, rows []chain.Row) error {
	return c.create(ctx, rows, nil)
}

// create writes a table while the guards hold. One that was begun and not ended is
// taken over: whoever began it finds that its writes fail.
func (c *Coord) create(ctx context.Context, rows []chain.Row, guards []guard) error {
	const what = "create the chain table"
	if err := checkTable(rows); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	mark, err := c.beginTable(ctx, what, guards)
	if err != nil {
		return err
	}
	guards = append([]guard{{keyTable, mark}}, guards...)
	for len(rows) > 0 {
		n := min(rowsAtOnce, len(rows))
		var ops []clientv3.Op
		for _, r := range rows[:n] {
			ops = append(ops, clientv3.OpPut(keyChain(r.Chain), encode(textRow(r))))
		}
		if err := c.hold(ctx, what, guards, ops...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return c.hold(ctx, what, guards, clientv3.OpPut(keyTable, tableMade))
}

// beginTable marks that a table is being made, and gives the mark's revision.
func (c *Coord) beginTable(ctx context.Context, what string, guards []guard) (int64, error) {
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// Rows without a mark are of a table whose mark somebody has deleted.
	turn := c.turns.now()
	r, err := c.client().Get(within, preChain, clientv3.WithPrefix(), clientv3.WithCountOnly())
	c.turns.took(turn, err)
	if err != nil {
		return 0, unavailable(within, what, err)
	}
	cells, err := c.read(ctx, what, keyTable)
	if err != nil {
		return 0, err
	}
	if cells[0].value == tableMade || cells[0].rev == 0 && r.Count > 0 {
		return 0, fmt.Errorf("%s: %w", what, ErrTable)
	}
	ok, rev, now, err := c.try(ctx, what, append([]guard{{keyTable, cells[0].rev}}, guards...), clientv3.OpPut(keyTable, tableMaking))
	if err == nil && !ok {
		err = c.broken(what, guards, now[1:])
	}
	return rev, err
}

// hold does something that must not fail for a guard, the first of which is the
// table's mark.
func (c *Coord) hold(ctx context.Context, what string, guards []guard, ops ...clientv3.Op) error {
	ok, _, now, err := c.try(ctx, what, guards, ops...)
	if err == nil && !ok {
		err = c.broken(what, guards[1:], now[1:])
	}
	return err
}

// broken tells which guard did not hold: the controller's, or that of the table.
func (c *Coord) broken(what string, guards []guard, now []cell) error {
	for i, g := range guards {
		if now[i].rev != g.rev {
			return fmt.Errorf("%s: %w", what, ErrDeposed)
		}
	}
	return fmt.Errorf("%s: %w: another makes it", what, ErrTable)
}

// checkTable returns ErrBad unless there is one row for every chain, in order.
func checkTable(rows []chain.Row) error {
	if len(rows) != chain.Chains {
		return fmt.Errorf("%w: %d rows", ErrBad, len(rows))
	}
	var wrong []string
	for i, r := range rows {
		if err := checkRow(r); err != nil {
			return err
		}
		if int(r.Chain) != i {
			wrong = append(wrong, fmt.Sprint(r.Chain))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%w: chains out of order: %s", ErrBad, strings.Join(wrong, " "))
	}
	return nil
}
