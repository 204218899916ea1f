package mysql

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// settle has all zones say what the service says of itself: SOA and automatic NS
// records, and the addresses of its name servers. It does nothing if the service has
// said the same before.
func (s *Store) settle(ctx context.Context) error {
	said := s.service.said()
	var before []byte
	if err := s.db.QueryRowContext(ctx, `SELECT service FROM nc_state WHERE one = 1`).Scan(&before); err != nil {
		return err
	}
	if _, err := s.zones(ctx, s.db).id(s.service.Base, false); err != nil {
		return s.foreign(err)
	}
	if string(before) == said {
		return nil
	}
	if err := s.settleOwned(ctx); err != nil {
		return err
	}
	// The base zone is last: what breaks off before it begins anew.
	err := s.inZones(ctx, func(z *zones, now state) error {
		id, err := z.id(z.service.Base, true)
		if err != nil {
			return err
		}
		var gone []any
		for _, name := range strings.Fields(string(before))[min(1, len(before)):] {
			gone = append(gone, name)
		}
		if err := z.remove(id, gone); err != nil {
			return err
		}
		if err := z.base(uint32(now.position)); err != nil {
			return err
		}
		_, err = z.q.ExecContext(ctx, `UPDATE nc_state SET service = ? WHERE one = 1`, []byte(said))
		return err
	})
	return s.foreign(err)
}

// foreign says of which zone it is that it is somebody else's.
func (s *Store) foreign(err error) error {
	if errors.Is(err, errForeign) {
		return fmt.Errorf("%w: zone %s: %w", store.ErrOtherUse, s.service.Base, err)
	}
	return err
}

// said stands for all that the service says of itself: a hash, and the names below the
// base domain that it has, as the tables have them, with blanks between.
func (s *Service) said() string {
	var all []byte
	for _, set := range s.Apex("", 0, 1) {
		all = store.AppendSet(all, set)
	}
	for _, set := range s.Hosts {
		all = store.AppendSet(all, set)
	}
	words := []string{fmt.Sprintf("%x", sha256.Sum256(all))}
	for _, n := range s.hostNames() {
		words = append(words, powerdnsName(n+s.Base))
	}
	return strings.Join(words, " ")
}

// hostNames are the names of the name servers below the base domain, relative to it,
// and those above them.
func (s *Service) hostNames() (names []rr.Name) {
	for _, set := range s.Hosts {
		for n := set.Owner.Lower(); n != ""; n = n.Parent() {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// settleOwned makes the zones of owned domains anew.
func (s *Store) settleOwned(ctx context.Context) error {
	for after := ""; ; {
		n := 0
		err := s.inZones(ctx, func(z *zones, _ state) error {
			var domains []rr.Name
			err := each(ctx, z.q, func(scan func(...any) error) error {
				var domain []byte
				err := scan(&domain)
				domains = append(domains, rr.Name(domain))
				return err
			}, `SELECT domain FROM nc_claims WHERE domain > ? ORDER BY domain LIMIT ?`, octets(after), zonesRows)
			for _, domain := range domains {
				if err == nil {
					err = z.rebuild(domain)
				}
				n, after = n+1, string(domain)
			}
			return err
		})
		if err != nil || n < zonesRows {
			return err
		}
	}
}

// base writes what the base zone has besides the accounts.
func (z *zones) base(serial uint32) error {
	domain := z.service.Base
	id, err := z.id(domain, true)
	if err != nil {
		return err
	}
	at := map[rr.Name][]rr.Set{}
	for _, s := range z.service.Apex("", 0, 1) {
		if s.Type == rr.TypeNS {
			at[""] = append(at[""], s)
		}
	}
	for _, s := range z.service.Hosts {
		at[s.Owner.Lower()] = append(at[s.Owner.Lower()], s)
	}
	var rows, gone []any
	for _, n := range z.service.hostNames() {
		list, err := spot{below: true}.rows(n+domain, n, at[n])
		if err != nil {
			return err
		}
		gone = append(gone, powerdnsName(n+domain))
		for _, r := range list {
			rows = append(rows, r.args(id)...)
		}
	}
	if err := z.remove(id, gone); err != nil {
		return err
	}
	if err := z.replaceApex(id, domain, at[""]); err != nil {
		return err
	}
	if err := insert(z.ctx, z.q, `INSERT INTO records (`+rowColumns+`)`, "", 8, rows); err != nil {
		return err
	}
	return z.serial(domain, "", 0, serial)
}

// rebuild makes all zones of the service anew, after a restore.
func (s *Store) rebuild(ctx context.Context, position uint64) error {
	err := s.inZones(ctx, func(z *zones, _ state) error {
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
		err = s.inZones(ctx, func(z *zones, _ state) error {
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

// inZones calls f in a transaction that no change of an account overlaps.
func (s *Store) inZones(ctx context.Context, f func(*zones, state) error) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	now, err := readState(ctx, tx, " FOR UPDATE")
	if err != nil {
		return err
	}
	if err := f(s.zones(ctx, tx), now); err != nil {
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
