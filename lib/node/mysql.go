package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"namecast/lib/private"
	"namecast/lib/status"
	"namecast/lib/store/leveldb"
	"namecast/lib/store/mysql"
)

// passwordVariable may have the password of the database.
const passwordVariable = "NAMECAST_STORE_PASSWORD"

// relational is the node's way to a database that speaks MySQL.
type relational struct {
	*mysql.Store
	address mysql.Address
}

// openMySQL opens the replica and begins to follow the database.
func (c *Config) openMySQL(o leveldb.Options) (storage, error) {
	at, password, err := c.mysqlAddress()
	if err != nil {
		return nil, err
	}
	service, err := c.mysqlService()
	if err != nil {
		return nil, fmt.Errorf("%w%w", ErrConfig, err)
	}
	s, err := mysql.Open(c.DB, mysql.Options{Address: at, Password: password, Service: service, Replica: o, Log: c.Log})
	if err != nil {
		return nil, err
	}
	return &relational{s, at}, nil
}

// Migrate makes the tables of the database that -store names, or brings them up to
// what this program knows.
func Migrate(ctx context.Context, c Config) error {
	if !strings.HasPrefix(c.Store, mysql.Scheme) {
		return fmt.Errorf("%w-migrate goes with -store %sUSER@HOST/DATABASE", ErrConfig, mysql.Scheme)
	}
	at, password, err := c.mysqlAddress()
	if err != nil {
		return err
	}
	base, err := c.base()
	if err != nil {
		return fmt.Errorf("%w%w", ErrConfig, err)
	}
	return mysql.Migrate(ctx, at, password, base)
}

// mysqlAddress reads where the database is, and its password.
func (c *Config) mysqlAddress() (mysql.Address, string, error) {
	at, err := mysql.ParseAddress(c.Store)
	if err != nil {
		return at, "", fmt.Errorf("%w-store %w", ErrConfig, err)
	}
	password := os.Getenv(passwordVariable)
	if c.StorePassword != "" {
		b, err := private.Load(c.StorePassword)
		if err != nil {
			return at, "", fmt.Errorf("%w-store-password: %w", ErrConfig, err)
		}
		password = strings.TrimRight(string(b), "\r\n")
		if strings.ContainsAny(password, "\r\n") {
			return at, "", fmt.Errorf("%w-store-password: %w", ErrConfig, errors.New("more than one line in "+c.StorePassword))
		}
	}
	return at, password, nil
}

// mysqlService is what the zones in the database have besides the accounts' records.
func (c *Config) mysqlService() (mysql.Service, error) {
	base, err := c.base()
	if err != nil {
		return mysql.Service{}, err
	}
	z, err := c.zoneService(base)
	if err != nil {
		return mysql.Service{}, err
	}
	return mysql.Service{
		Base:  base,
		Apex:  z.Apex,
		Hosts: z.HostSets(),
	}, nil
}

// about implements storage.
func (s *relational) about() []any {
	return []any{"database", s.address.Database, "hosts", strings.Join(s.address.Hosts, ",")}
}

// away implements storage.
func (s *relational) away() []any { return []any{"failures", s.Stats().Failures} }

// metrics implements storage.
func (s *relational) metrics() (list []status.Metric) {
	count := func(name, help string, read func(mysql.Stats) uint64) {
		list = append(list, status.Metric{Name: "mysql_" + name + "_total", Help: help,
			Value: func() float64 { return float64(read(s.Stats())) }})
	}
	list = append(list, status.Metric{Name: "mysql_stale_seconds", Help: "Age of the replica at most.", Gauge: true,
		Value: func() float64 { return seconds(s.Stale()) }})
	count("transactions", "Transactions that were committed.", func(s mysql.Stats) uint64 { return s.Transactions })
	count("retries", "Transactions that were made again.", func(s mysql.Stats) uint64 { return s.Retries })
	count("records", "Changes that the replica has followed.", func(s mysql.Stats) uint64 { return s.Records })
	count("copies", "Times that the replica was made anew.", func(s mysql.Stats) uint64 { return s.Copies })
	count("failures", "Times that the table of changes could not be read.", func(s mysql.Stats) uint64 { return s.Failures })
	return list
}
