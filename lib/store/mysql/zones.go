package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// zoneMark is what the column account of the table domains has for zones that are
// Namecast's; others are left alone.
const zoneMark = "namecast"

// errForeign: a zone of the name is somebody else's.
var errForeign = errors.New("the database has a zone of that name that is not Namecast's")

// A zones is the way to PowerDNS's tables in one transaction.
type zones struct {
	ctx     context.Context
	q       querier
	service *Service
	told    func(error) // is called for what the tables do not hold
	ids     map[rr.Name]int64
	trees   map[string]*tree
}

func (s *Store) zones(ctx context.Context, q querier) *zones {
	return &zones{
		ctx: ctx, q: q, service: &s.service, ids: map[rr.Name]int64{}, trees: map[string]*tree{},
		told: func(err error) { s.Log.Warn("left out of PowerDNS's tables", "err", err) },
	}
}

// server finds for which account a domain is served: the claim and the head must
// agree, and until those of a new owner do, it is the previous one's.
func (z *zones) server(domain rr.Name) (*store.Head, store.Domain, error) {
	var b []byte
	err := z.q.QueryRowContext(z.ctx, `SELECT claim FROM nc_claims WHERE domain = ?`, octets(string(domain))).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, store.Domain{}, nil
	}
	if err != nil {
		return nil, store.Domain{}, err
	}
	c, err := store.ParseClaim(b)
	if err != nil {
		return nil, store.Domain{}, err
	}
	for _, account := range []string{c.Account, c.Previous} {
		if account == "" {
			continue
		}
		err := z.q.QueryRowContext(z.ctx, `SELECT head FROM nc_accounts WHERE account = ?`, octets(account)).Scan(&b)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, store.Domain{}, err
		}
		h, err := store.ParseHead(b)
		if err != nil {
			return nil, store.Domain{}, err
		}
		for _, d := range h.Domains {
			if d.Name == domain {
				return &h, d, nil
			}
		}
	}
	return nil, store.Domain{}, nil
}

// rebuild makes the zone of an owned domain anew, or takes it away if nobody has it.
func (z *zones) rebuild(domain rr.Name) error {
	head, d, err := z.server(domain)
	if err != nil {
		return err
	}
	id, err := z.id(domain, head != nil)
	if errors.Is(err, errForeign) {
		z.told(fmt.Errorf("zone %s: %w", domain, err))
		return nil
	}
	if err != nil || id == 0 {
		return err
	}
	if _, err := z.q.ExecContext(z.ctx, `DELETE FROM records WHERE domain_id = ?`, id); err != nil {
		return err
	}
	if head == nil {
		delete(z.ids, domain)
		_, err := z.q.ExecContext(z.ctx, `DELETE FROM domains WHERE id = ?`, id)
		return err
	}
	names, err := z.tree(head.Account).names()
	if err != nil {
		return err
	}
	if !slices.Contains(names, "") {
		names = append(names, "")
	}
	if err := z.refresh(domain, "", head.Account, names); err != nil {
		return err
	}
	return z.serial(domain, d.Contact, d.TTL, uint32(head.Version))
}

// id finds the number of a zone, and makes the zone if that is wanted; 0 if there is
// none. errForeign if it is not Namecast's.
func (z *zones) id(domain rr.Name, wanted bool) (int64, error) {
	if id, ok := z.ids[domain]; ok {
		return id, nil
	}
	name := powerdnsName(domain)
	if len(name) > maxName {
		return 0, errForeign
	}
	var id int64
	var account sql.NullString
	err := z.q.QueryRowContext(z.ctx, `SELECT id, account FROM domains WHERE name = ?`, name).Scan(&id, &account)
	switch {
	case errors.Is(err, sql.ErrNoRows) && wanted:
		done, err := z.q.ExecContext(z.ctx, `INSERT INTO domains (name, type, account) VALUES (?, 'MASTER', ?)`, name, zoneMark)
		if err != nil {
			return 0, err
		}
		if id, err = done.LastInsertId(); err != nil {
			return 0, err
		}
	case errors.Is(err, sql.ErrNoRows):
		return 0, nil
	case err != nil:
		return 0, err
	case account.String != zoneMark:
		return 0, errForeign
	}
	z.ids[domain] = id
	return id, nil
}

// refresh writes the rows of names of an account anew, in the zone of a domain in
// which the account's names end with suffix.
func (z *zones) refresh(domain, suffix rr.Name, account string, names []rr.Name) error {
	id, err := z.id(domain, true)
	if errors.Is(err, errForeign) {
		z.told(fmt.Errorf("zone %s: %w", domain, err))
		return nil
	}
	if err != nil {
		return err
	}
	var gone, rows []any
	for _, n := range names {
		rel := n + suffix
		if rel == "" {
			continue // the apex is of serial
		}
		p, err := z.tree(account).spot(n)
		if err != nil {
			return err
		}
		list, err := p.rows(rel+domain, rel, shown(p, suffix != ""))
		if err != nil {
			z.told(err)
		}
		gone = append(gone, powerdnsName(rel+domain))
		for _, r := range list {
			rows = append(rows, r.args(id)...)
		}
	}
	if err := z.remove(id, gone); err != nil {
		return err
	}
	if slices.Contains(names, "") && suffix == "" {
		if err := z.apex(id, domain, account); err != nil {
			return err
		}
	}
	return insert(z.ctx, z.q, `INSERT INTO records (`+rowColumns+`)`, "", 8, rows)
}

// remove takes away the rows of names.
func (z *zones) remove(id int64, names []any) error {
	for len(names) > 0 {
		n := min(len(names), maxRows)
		args := append([]any{id}, names[:n]...)
		if _, err := z.q.ExecContext(z.ctx, `DELETE FROM records WHERE domain_id = ? AND name IN (`+places(1, n)[1:], args...); err != nil {
			return err
		}
		names = names[n:]
	}
	return nil
}

// Types of DNSSEC that say something of a zone, and stand at its apex.
const (
	typeDNSKEY  rr.Type = 48
	typeCDS     rr.Type = 59
	typeCDNSKEY rr.Type = 60
)

// shown leaves out what an owner put at "@" for the owned domains alone, in the base
// zone; what stands at an apex is the business of apex.
func shown(p spot, base bool) []rr.Set {
	if p.owner != "" || !base {
		return p.sets
	}
	return slices.DeleteFunc(slices.Clone(p.sets), func(s rr.Set) bool {
		switch s.Type {
		case rr.TypeNS, typeDNSKEY, typeCDS, typeCDNSKEY:
			return true
		}
		return false
	})
}

// apex writes the rows at the apex of an owned domain, but for its SOA.
func (z *zones) apex(id int64, domain rr.Name, account string) error {
	p, err := z.tree(account).spot("")
	if err != nil {
		return err
	}
	var sets []rr.Set
	auto := true
	for _, s := range p.sets {
		switch s.Type {
		case rr.TypeCNAME, rr.TypeDS, rr.TypeSOA:
			continue
		case rr.TypeNS:
			auto = false
		}
		sets = append(sets, s)
	}
	for _, s := range z.service.Apex("", 0, 1) {
		if s.Type == rr.TypeNS && auto {
			sets = append(sets, s)
		}
	}
	return z.replaceApex(id, domain, sets)
}

// replaceApex writes all rows at an apex but the SOA.
func (z *zones) replaceApex(id int64, domain rr.Name, sets []rr.Set) error {
	list, err := spot{}.rows(domain, "", sets)
	if err != nil {
		z.told(err)
	}
	if _, err := z.q.ExecContext(z.ctx, `DELETE FROM records WHERE domain_id = ? AND name = ? AND type <> 'SOA'`, id, powerdnsName(domain)); err != nil {
		return err
	}
	var rows []any
	for _, r := range list {
		rows = append(rows, r.args(id)...)
	}
	return insert(z.ctx, z.q, `INSERT INTO records (`+rowColumns+`)`, "", 8, rows)
}

// serial writes the SOA record of a zone, with a new serial.
func (z *zones) serial(domain, contact rr.Name, ttl, serial uint32) error {
	id, err := z.id(domain, true)
	if errors.Is(err, errForeign) {
		return nil // it was told of
	}
	if err != nil {
		return err
	}
	for _, s := range z.service.Apex(contact, ttl, max(1, serial)) {
		if s.Type != rr.TypeSOA {
			continue
		}
		text := s.Data[0].Text(s.Type)
		done, err := z.q.ExecContext(z.ctx, `UPDATE records SET content = ?, ttl = ? WHERE domain_id = ? AND name = ? AND type = 'SOA'`,
			text, s.TTL, id, powerdnsName(domain))
		if err != nil {
			return err
		}
		if n, err := done.RowsAffected(); err != nil || n > 0 {
			return err
		}
		list, err := spot{}.rows(domain, "", []rr.Set{s})
		if err != nil {
			return err
		}
		return insert(z.ctx, z.q, `INSERT INTO records (`+rowColumns+`)`, "", 8, list[0].args(id))
	}
	return nil
}
