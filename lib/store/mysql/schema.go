package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"namecast/lib/rr"
	"namecast/lib/store"
)

// schemaVersion is that of the tables that this program reads and writes.
const schemaVersion = 1

// migrations has what makes each version of the tables from the one before it. The
// statements of a version can be made again: a server does not undo them when one of
// them fails.
var migrations = [schemaVersion][]string{{
	`CREATE TABLE IF NOT EXISTS nc_state (
		one TINYINT PRIMARY KEY,
		domain VARBINARY(255) NOT NULL,
		lsn BIGINT UNSIGNED NOT NULL,
		hash BINARY(16) NOT NULL,
		position BIGINT UNSIGNED NOT NULL,
		base BIGINT UNSIGNED NOT NULL,
		restoring VARBINARY(32) NULL,
		service BLOB NOT NULL
	) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`,
	`CREATE TABLE IF NOT EXISTS nc_accounts (
		account VARBINARY(63) PRIMARY KEY,
		version BIGINT UNSIGNED NOT NULL,
		key_id VARBINARY(63) NOT NULL,
		head MEDIUMBLOB NOT NULL,
		lsn BIGINT UNSIGNED NOT NULL,
		id BINARY(16) NOT NULL
	) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`,
	`CREATE TABLE IF NOT EXISTS nc_sets (
		account VARBINARY(63) NOT NULL,
		owner VARBINARY(520) NOT NULL,
		data MEDIUMBLOB NOT NULL,
		PRIMARY KEY (account, owner)
	) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4`,
	`CREATE TABLE IF NOT EXISTS nc_keys (
		key_id VARBINARY(63) PRIMARY KEY,
		account VARBINARY(63) NOT NULL,
		KEY nc_keys_account (account)
	) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`,
	`CREATE TABLE IF NOT EXISTS nc_claims (
		domain VARBINARY(255) PRIMARY KEY,
		version BIGINT UNSIGNED NOT NULL,
		claim BLOB NOT NULL,
		lsn BIGINT UNSIGNED NOT NULL,
		id BINARY(16) NOT NULL
	) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`,
	`CREATE TABLE IF NOT EXISTS nc_changes (
		lsn BIGINT UNSIGNED PRIMARY KEY,
		hash BINARY(16) NOT NULL,
		id BINARY(16) NOT NULL,
		brought VARBINARY(63) NOT NULL,
		event MEDIUMBLOB NOT NULL,
		KEY nc_changes_id (id)
	) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`,
	`CREATE TABLE IF NOT EXISTS nc_nodes (
		id BINARY(16) PRIMARY KEY,
		lsn BIGINT UNSIGNED NOT NULL,
		seen DATETIME(6) NOT NULL
	) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4`,
}}

// schemaTable has the version of the others.
const schemaTable = `CREATE TABLE IF NOT EXISTS nc_schema (one TINYINT PRIMARY KEY, version INT UNSIGNED NOT NULL) ENGINE=InnoDB`

// Migrate makes the tables, or brings those of an older program up to this one, for
// the service of a base domain. It does nothing to tables that are current. Nodes of
// an older program go on meanwhile as long as the new version is one that they can
// read; ErrFormat if a newer program has been there.
func Migrate(ctx context.Context, a Address, password string, domain rr.Name) error {
	db, err := open(a, password)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := migrate(ctx, db.DB, domain); err != nil {
		return fmt.Errorf("migrate database %q: %w", a.Database, verdict(err))
	}
	return nil
}

// verdict makes an error that may pass one of store.ErrUnavailable.
func verdict(err error) error {
	if passing(err) {
		return unavailable(err)
	}
	return cause(err)
}

func migrate(ctx context.Context, db *sql.DB, domain rr.Name) error {
	if _, err := db.ExecContext(ctx, schemaTable); err != nil {
		return err
	}
	version, err := schema(ctx, db)
	if err != nil {
		return err
	}
	if version > schemaVersion {
		return newer(version)
	}
	for v := version; v < schemaVersion; v++ {
		for _, statement := range migrations[v] {
			if _, err := db.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("to version %d: %w", v+1, err)
			}
		}
	}
	for _, statement := range powerdnsTables {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("tables of PowerDNS: %w", err)
		}
	}
	if _, err := db.ExecContext(ctx, `INSERT IGNORE INTO nc_state VALUES (1, ?, 0, ?, 0, 0, NULL, '')`,
		string(domain.Lower()), make([]byte, 16)); err != nil {
		return err
	}
	if err := sameDomain(ctx, db, domain); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `REPLACE INTO nc_schema VALUES (1, ?)`, schemaVersion)
	return err
}

// schema reads the version of the tables; 0 if there are none.
func schema(ctx context.Context, db *sql.DB) (version uint64, err error) {
	err = db.QueryRowContext(ctx, `SELECT version FROM nc_schema`).Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return version, err
}

func newer(version uint64) error {
	return fmt.Errorf("%w: its tables have version %d, this program knows %d", store.ErrFormat, version, schemaVersion)
}

// errOlder: the tables are to be migrated first.
var errOlder = errors.New("its tables are not there, or of an older program: 'nc-serve -migrate' makes them")

// checkSchema refuses tables that are not those of this program.
func checkSchema(ctx context.Context, db *sql.DB) error {
	version, err := schema(ctx, db)
	switch {
	case number(err) == noTable:
		return errOlder
	case err != nil:
		return err
	case version > schemaVersion:
		return newer(version)
	case version < schemaVersion:
		return errOlder
	}
	return nil
}

// sameDomain refuses a database of another service.
func sameDomain(ctx context.Context, db *sql.DB, domain rr.Name) error {
	var there string
	if err := db.QueryRowContext(ctx, `SELECT domain FROM nc_state WHERE one = 1`).Scan(&there); err != nil {
		return err
	}
	if there != string(domain.Lower()) {
		return fmt.Errorf("%w: it has the accounts of %s, not of %s", store.ErrOtherUse, rr.Name(there), domain)
	}
	return nil
}
