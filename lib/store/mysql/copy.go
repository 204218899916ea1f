package mysql

import (
	"context"
	"database/sql"
	"fmt"

	"namecast/lib/rr"
	"namecast/lib/store"
	"namecast/lib/store/leveldb"
)

// A copying is a copy of the tables under way.
type copying struct {
	ctx      context.Context
	tx       *sql.Tx
	to       *leveldb.Copy
	accounts int
}

// A part is an account of a copy.
type part struct {
	lsn  uint64
	head store.Head
	keys []string
	sets []rr.Set
}

// all copies accounts in the order of their names, and then claims.
func (c *copying) all() error {
	for after := ""; ; {
		page, err := c.page(after)
		if err != nil {
			return err
		}
		for _, p := range page {
			if err := c.to.Account(p.lsn, p.head, p.keys, p.sets); err != nil {
				return err
			}
		}
		c.accounts += len(page)
		if len(page) < copyRows {
			return c.claims()
		}
		after = page[len(page)-1].head.Account
	}
}

// page reads some accounts whole.
func (c *copying) page(after string) (page []*part, err error) {
	byName := map[string]*part{}
	err = each(c.ctx, c.tx, func(scan func(...any) error) error {
		var head []byte
		p := &part{}
		if err := scan(&p.lsn, &head); err != nil {
			return err
		}
		if p.head, err = store.ParseHead(head); err != nil {
			return fmt.Errorf("nc_accounts: %w", err)
		}
		page = append(page, p)
		byName[p.head.Account] = p
		return nil
	}, `SELECT lsn, head FROM nc_accounts WHERE account > ? ORDER BY account LIMIT ?`, octets(after), copyRows)
	if err != nil || len(page) == 0 {
		return nil, err
	}
	from, to := octets(page[0].head.Account), octets(page[len(page)-1].head.Account)
	err = each(c.ctx, c.tx, func(scan func(...any) error) error {
		var account, key, data []byte
		if err := scan(&account, &key, &data); err != nil {
			return err
		}
		s, err := parseSet(string(key), data)
		if p := byName[string(account)]; err == nil && p != nil {
			p.sets = append(p.sets, s)
		}
		return err
	}, `SELECT account, owner, data FROM nc_sets WHERE account BETWEEN ? AND ? ORDER BY account, owner`, from, to)
	if err != nil {
		return nil, err
	}
	return page, each(c.ctx, c.tx, func(scan func(...any) error) error {
		var account, key []byte
		err := scan(&account, &key)
		if p := byName[string(account)]; err == nil && p != nil {
			p.keys = append(p.keys, string(key))
		}
		return err
	}, `SELECT account, key_id FROM nc_keys WHERE account BETWEEN ? AND ? ORDER BY account, key_id`, from, to)
}

// parseSet reads a row of nc_sets.
func parseSet(key string, data []byte) (rr.Set, error) {
	owner, t, err := store.ParseSetKey(key)
	if err == nil {
		var s rr.Set
		if s, err = store.ParseRecords(data, owner, t); err == nil {
			return s, nil
		}
	}
	return rr.Set{}, fmt.Errorf("nc_sets: %w", err)
}

// claims copies all claims.
func (c *copying) claims() error {
	for after := ""; ; {
		n := 0
		err := each(c.ctx, c.tx, func(scan func(...any) error) error {
			var lsn uint64
			var domain, data []byte
			if err := scan(&lsn, &domain, &data); err != nil {
				return err
			}
			claim, err := store.ParseClaim(data)
			if err != nil {
				return fmt.Errorf("nc_claims: %w", err)
			}
			n, after = n+1, string(domain)
			return c.to.Claim(lsn, rr.Name(domain), claim)
		}, `SELECT lsn, domain, claim FROM nc_claims WHERE domain > ? ORDER BY domain LIMIT ?`, octets(after), copyRows)
		if err != nil || n < copyRows {
			return err
		}
	}
}
