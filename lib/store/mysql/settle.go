package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// settle has the base zone say what the service says of itself: its apex and the
// addresses of its name servers. It writes only if that is not so already.
func (s *Service) settle(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	now, err := readState(ctx, tx, " FOR UPDATE")
	if err != nil {
		return err
	}
	z := &zones{ctx: ctx, q: tx, service: s, ids: map[rr.Name]int64{}, trees: map[string]*tree{}}
	z.told = func(error) {} // names too long for a table are refused by the zone's id
	err = z.base(uint32(now.position))
	if errors.Is(err, errForeign) {
		return fmt.Errorf("%w: %w", store.ErrOtherUse, err)
	}
	if err != nil {
		return err
	}
	return tx.Commit()
}

// base writes what the base zone has besides the accounts.
func (z *zones) base(serial uint32) error {
	domain := z.service.Base
	id, err := z.id(domain, true)
	if err != nil {
		return fmt.Errorf("zone %s: %w", domain, err)
	}
	var apex []rr.Set
	for _, s := range z.service.Apex("", 0, 1) {
		if s.Type == rr.TypeNS {
			apex = append(apex, s)
		}
	}
	var rows, gone []any
	for _, s := range z.service.Hosts {
		if s.Owner == "" {
			apex = append(apex, s)
			continue
		}
		name := s.Owner.Lower() + domain
		list, err := spot{}.rows(name, s.Owner.Lower(), []rr.Set{s})
		if err != nil {
			return err
		}
		gone = append(gone, powerdnsName(name))
		for _, r := range list {
			rows = append(rows, r.args(id)...)
		}
	}
	if err := z.remove(id, gone); err != nil {
		return err
	}
	if err := z.replaceApex(id, domain, apex); err != nil {
		return err
	}
	if err := insert(z.ctx, z.q, `INSERT INTO records (`+rowColumns+`)`, "", 8, rows); err != nil {
		return err
	}
	return z.serial(domain, "", 0, serial)
}

// rebuild makes all zones of the service anew, after a restore.
func (s *Store) rebuild(ctx context.Context, position uint64) error {
	err := s.inZones(ctx, func(z *zones) error {
		for _, statement := range []string{
			`DELETE FROM records WHERE domain_id IN (SELECT id FROM domains WHERE account = ?)`,
			`DELETE FROM domains WHERE account = ?`,
		} {
			if _, err := z.q.ExecContext(ctx, statement, zoneMark); err != nil {
				return err
			}
		}
		return z.base(uint32(position))
	})
	for after := ""; err == nil; {
		n := 0
		err = s.inZones(ctx, func(z *zones) error {
			heads, err := z.heads(after)
			if err != nil {
				return err
			}
			for i := range heads {
				if err := z.whole(&heads[i]); err != nil {
					return err
				}
			}
			if n = len(heads); n > 0 {
				after = heads[n-1].Account
			}
			return nil
		})
		if n < zonesRows {
			break
		}
	}
	return err
}

// zonesRows is how many accounts are brought into the zones at once.
const zonesRows = 100

// inZones calls f in a transaction.
func (s *Store) inZones(ctx context.Context, f func(*zones) error) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := f(s.zones(ctx, tx)); err != nil {
		return err
	}
	return tx.Commit()
}

// heads reads the next accounts after one.
func (z *zones) heads(after string) (heads []store.Head, err error) {
	return heads, each(z.ctx, z.q, func(scan func(...any) error) error {
		var b []byte
		if err := scan(&b); err != nil {
			return err
		}
		h, err := store.ParseHead(b)
		heads = append(heads, h)
		return err
	}, `SELECT head FROM nc_accounts WHERE account > ? ORDER BY account LIMIT ?`, octets(after), zonesRows)
}

// whole writes all of an account into the zones that it is in.
func (z *zones) whole(h *store.Head) error {
	names, err := z.tree(h.Account).names()
	if err != nil {
		return err
	}
	if err := z.refresh(z.service.Base, label(h.Account), h.Account, names); err != nil {
		return err
	}
	for _, d := range h.Domains {
		if err := z.rebuild(d.Name); err != nil {
			return err
		}
	}
	return nil
}

// label is an account's name as the label that it is in the base zone.
func label(account string) rr.Name { return rr.Name(rune(len(account))) + rr.Name(account) }
