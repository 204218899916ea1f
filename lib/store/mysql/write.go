package mysql

import (
	"context"
	"database/sql"
	"strings"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// A querier is a database, a connection of it or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// maxRows bounds the rows of one statement.
const maxRows = 500

// places makes "(?,?),(?,?)" for a number of rows.
func places(rows, columns int) string {
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", columns), ",") + ")"
	return strings.TrimSuffix(strings.Repeat(one+",", rows), ",")
}

// list makes "?,?,?" and the arguments for it.
func list[K comparable, V any](m map[K]V, arg func(K) any) (string, []any) {
	args := make([]any, 0, len(m))
	for k := range m {
		args = append(args, arg(k))
	}
	return strings.TrimSuffix(strings.Repeat("?,", len(args)), ","), args
}

// octets is a text as an argument that no character set is applied to.
func octets(s string) any { return []byte(s) }

// each reads the rows of a query.
func each(ctx context.Context, q querier, f func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// insert writes rows in statements of bounded size: head is all before VALUES, tail
// all behind it.
func insert(ctx context.Context, q querier, head, tail string, columns int, args []any) error {
	for len(args) > 0 {
		n := min(len(args)/columns, maxRows)
		if _, err := q.ExecContext(ctx, head+" VALUES "+places(n, columns)+tail, args[:n*columns]...); err != nil {
			return err
		}
		args = args[n*columns:]
	}
	return nil
}

// read reads what the jobs are about.
func (t *transaction) read() error {
	t.accounts, t.claims, t.keys = map[string]*accountRow{}, map[rr.Name]*claimRow{}, map[string]string{}
	for _, j := range t.jobs {
		if j.claim != nil {
			t.claims[j.domain] = &claimRow{}
			continue
		}
		for _, name := range []string{j.change.Head.Account, j.change.Head.KeyID} {
			t.accounts[name], t.keys[name] = &accountRow{}, ""
		}
	}
	if err := t.readClaims(); err != nil || len(t.accounts) == 0 {
		return err
	}
	in, args := list(t.accounts, func(k string) any { return octets(k) })
	err := each(t.ctx, t.tx, func(scan func(...any) error) error {
		var name, key, id []byte
		r := &accountRow{}
		if err := scan(&name, &r.version, &key, &r.lsn, &id, &r.was); err != nil {
			return err
		}
		r.keyID = string(key)
		copy(r.id[:], id)
		t.accounts[string(name)] = r
		return nil
	}, `SELECT account, version, key_id, lsn, id, head FROM nc_accounts WHERE account IN (`+in+`)`, args...)
	if err != nil {
		return err
	}
	return each(t.ctx, t.tx, func(scan func(...any) error) error {
		var key, account []byte
		err := scan(&key, &account)
		t.keys[string(key)] = string(account)
		return err
	}, `SELECT key_id, account FROM nc_keys WHERE key_id IN (`+in+`)`, args...)
}

func (t *transaction) readClaims() error {
	if len(t.claims) == 0 {
		return nil
	}
	in, args := list(t.claims, func(k rr.Name) any { return octets(string(k)) })
	return each(t.ctx, t.tx, func(scan func(...any) error) error {
		var domain, id, claim []byte
		r := &claimRow{}
		if err := scan(&domain, &r.version, &r.lsn, &id, &claim); err != nil {
			return err
		}
		copy(r.id[:], id)
		t.claims[rr.Name(domain)] = r
		var err error
		r.claim, err = store.ParseClaim(claim)
		return err
	}, `SELECT domain, version, lsn, id, claim FROM nc_claims WHERE domain IN (`+in+`)`, args...)
}

// write writes what the jobs that are taken do to all tables.
func (t *transaction) write() error {
	for _, step := range []func() error{t.writeSets, t.writeKeys, t.writeAccounts, t.writeClaims, t.writeChanges, t.writeZones, t.writeState} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// writeSets writes RRsets: of one that several jobs write, the last counts.
func (t *transaction) writeSets() error {
	type key struct{ account, owner string }
	last := map[key][]byte{}
	for _, j := range t.taken {
		if j.change == nil {
			continue
		}
		account := j.change.Head.Account
		for _, k := range j.change.Delete {
			last[key{account, string(store.AppendSetKey(nil, k.Owner, k.Type))}] = nil
		}
		for _, s := range j.change.Put {
			last[key{account, string(store.AppendSetKey(nil, s.Owner, s.Type))}] = store.AppendRecords(nil, s)
		}
	}
	var puts, gone []any
	for k, data := range last {
		if data == nil {
			gone = append(gone, octets(k.account), octets(k.owner))
		} else {
			puts = append(puts, octets(k.account), octets(k.owner), data)
		}
	}
	for len(gone) > 0 {
		n := min(len(gone)/2, maxRows)
		if _, err := t.tx.ExecContext(t.ctx, `DELETE FROM nc_sets WHERE (account, owner) IN (`+places(n, 2)+`)`, gone[:2*n]...); err != nil {
			return err
		}
		gone = gone[2*n:]
	}
	return insert(t.ctx, t.tx, `INSERT INTO nc_sets (account, owner, data)`, ` ON DUPLICATE KEY UPDATE data = VALUES(data)`, 3, puts)
}

func (t *transaction) writeKeys() error {
	var args []any
	for _, e := range t.entries {
		if e.brought != "" {
			args = append(args, octets(e.brought), octets(t.keys[e.brought]))
		}
	}
	return insert(t.ctx, t.tx, `INSERT INTO nc_keys (key_id, account)`, "", 2, args)
}

func (t *transaction) writeAccounts() error {
	var args []any
	for name, r := range t.accounts {
		if r.changed {
			args = append(args, octets(name), r.version, octets(r.keyID), r.head, r.lsn, r.id[:])
		}
	}
	return insert(t.ctx, t.tx, `INSERT INTO nc_accounts (account, version, key_id, head, lsn, id)`,
		` ON DUPLICATE KEY UPDATE version = VALUES(version), key_id = VALUES(key_id), head = VALUES(head), lsn = VALUES(lsn), id = VALUES(id)`, 6, args)
}

func (t *transaction) writeClaims() error {
	var args []any
	for domain, r := range t.claims {
		if r.changed {
			args = append(args, octets(string(domain)), r.version, store.AppendClaim(nil, r.claim), r.lsn, r.id[:])
		}
	}
	return insert(t.ctx, t.tx, `INSERT INTO nc_claims (domain, version, claim, lsn, id)`,
		` ON DUPLICATE KEY UPDATE version = VALUES(version), claim = VALUES(claim), lsn = VALUES(lsn), id = VALUES(id)`, 5, args)
}

func (t *transaction) writeChanges() error {
	var args []any
	for _, e := range t.entries {
		args = append(args, e.lsn, e.hash[:], e.id[:], octets(e.brought), e.event)
	}
	return insert(t.ctx, t.tx, `INSERT INTO nc_changes (lsn, hash, id, brought, event)`, "", 5, args)
}

func (t *transaction) writeState() error {
	_, err := t.tx.ExecContext(t.ctx, `UPDATE nc_state SET lsn = ?, hash = ?, position = ? WHERE one = 1`,
		t.state.lsn, t.state.hash[:], t.state.position)
	return err
}
