package mysql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"

	"namecast/lib/store"
)

// How long a connection may take to be made, and a statement to be answered.
const (
	dialTime  = 2 * time.Second
	replyTime = 4 * time.Second
)

// maxPacket bounds a packet of the protocol, in octets; the server has a bound too.
const maxPacket = 64 << 20

// dialer connects to the hosts of an address, to that first which answered last.
type dialer struct {
	hosts []driver.Connector
	names []string

	mu   sync.Mutex
	last int       // of the hosts, that is used
	left time.Time // when another one was left for it
}

// newDialer makes the connectors of an address.
func newDialer(a Address, password string) (*dialer, error) {
	d := &dialer{}
	for _, h := range a.Hosts {
		c := mysql.NewConfig()
		c.User, c.Passwd, c.DBName, c.Addr = a.User, password, a.Database, h
		c.Net = "tcp"
		if strings.HasPrefix(h, "/") {
			c.Net = "unix"
		}
		if a.TLS != nil {
			t := a.TLS.Clone()
			t.ServerName, _, _ = net.SplitHostPort(h)
			c.TLS = t
		}
		c.Timeout, c.ReadTimeout, c.WriteTimeout = dialTime, replyTime, replyTime
		c.InterpolateParams, c.MaxAllowedPacket = true, maxPacket
		c.Collation = "utf8mb4_bin"
		c.Logger = log{}
		c.Params = map[string]string{
			"sql_mode":                 "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
			"innodb_lock_wait_timeout": "5",
		}
		k, err := mysql.NewConnector(c)
		if err != nil {
			return nil, err
		}
		d.hosts, d.names = append(d.hosts, k), append(d.names, h)
	}
	return d, nil
}

// log keeps the driver from writing to standard error: what it has to say comes as
// an error as well.
type log struct{}

func (log) Print(...any) {}

// Driver implements driver.Connector.
func (d *dialer) Driver() driver.Driver { return d.hosts[0].Driver() }

// Connect implements driver.Connector.
func (d *dialer) Connect(ctx context.Context) (driver.Conn, error) {
	d.mu.Lock()
	first := d.last
	d.mu.Unlock()
	var errs []error
	for i := range d.hosts {
		n := (first + i) % len(d.hosts)
		c, err := d.hosts[n].Connect(ctx)
		if err == nil {
			err = d.check(ctx, c)
		}
		if err == nil {
			d.mu.Lock()
			d.last = n
			d.mu.Unlock()
			return c, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", d.names[n], err))
	}
	return nil, errors.Join(errs...)
}

// check refuses a member of a Galera cluster that is not in its majority, and has
// one that is see what the others have committed. The variable is not known to
// servers without Galera, where there is nothing to do.
func (d *dialer) check(ctx context.Context, c driver.Conn) error {
	x, ok := c.(driver.ExecerContext)
	if !ok {
		return nil
	}
	_, err := x.ExecContext(ctx, "SET SESSION wsrep_sync_wait = 1", nil)
	if number(err) == unknownVariable {
		return nil
	}
	if err != nil {
		c.Close()
	}
	return err
}

// Numbers of errors, of the servers' manuals.
const (
	notReady         = 1047 // Galera: not in the majority, or not yet synchronized
	unknownVariable  = 1193
	lockWait         = 1205
	deadlock         = 1213 // and a failed certification
	readOnlyServer   = 1290
	readOnlyTransact = 1792
	readOnlyMode     = 1836
	accessDenied     = 1045
	databaseDenied   = 1044
	noDatabase       = 1049
	noTable          = 1146
	shutdown         = 1053
	tooManyConns     = 1040
	diskFull         = 1021
	tableFull        = 1114
	interrupted      = 1317
	killed           = 1927
)

var (
	errReadOnly = &mysql.MySQLError{Number: readOnlyServer, Message: "read_only is set"}
	// errBehind is of a server that has not yet what this node had of another one.
	errBehind = errors.New("the server is a replica that lags")
)

// number is that of a server's error; 0 if it is none.
func number(err error) uint16 {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// passing reports whether an error may pass by itself, so that the same transaction
// may be made again, maybe by another server.
func passing(err error) bool {
	switch number(err) {
	case 0:
		var n net.Error
		return errors.Is(err, driver.ErrBadConn) || errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, io.EOF) ||
			errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &n) ||
			errors.Is(err, sql.ErrConnDone) || errors.Is(err, errBehind)
	case notReady, lockWait, deadlock, readOnlyServer, readOnlyMode, readOnlyTransact, shutdown, tooManyConns,
		diskFull, tableFull, interrupted, killed:
		return true
	}
	return false
}

// elsewhere reports whether another server may do what this one does not: it says so,
// or it says nothing any more.
func elsewhere(err error) bool {
	switch number(err) {
	case 0:
		return passing(err)
	case notReady, readOnlyServer, readOnlyMode, readOnlyTransact, shutdown:
		return true
	}
	return false
}

// unavailable wraps an error of the database for those who wait for it.
func unavailable(err error) error { return fmt.Errorf("%w: %w", store.ErrUnavailable, cause(err)) }

// cause says in an operator's words what some errors of servers mean.
func cause(err error) error {
	say := func(what string) error { return fmt.Errorf("%s: %w", what, err) }
	switch number(err) {
	case readOnlyServer, readOnlyMode, readOnlyTransact:
		return say("the server takes no changes")
	case notReady:
		return say("the server is not in its cluster's majority")
	case diskFull, tableFull:
		return say("the server's disk is full")
	case accessDenied, databaseDenied:
		return say("user or password are not right for the database")
	case noDatabase:
		return say("there is no such database")
	case noTable:
		return say("the database has not all tables: 'nc-serve -migrate' makes them")
	}
	return err
}

// A database is connections to one of the servers of an address.
type database struct {
	*sql.DB
	dial *dialer
}

// Connections of a node: one that commits, one that follows, and some more.
const maxConns = 4

// connLife is how long a connection is used, so that a server that is back is found.
const connLife = 10 * time.Minute

// open makes a database that connects when it is used.
func open(a Address, password string) (*database, error) {
	d, err := newDialer(a, password)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(d)
	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)
	db.SetConnMaxLifetime(connLife)
	return &database{db, d}, nil
}

// next has the coming connections go to another server than the last, and ends those
// that are idle.
func (d *database) next(log *slog.Logger, why error) {
	d.dial.next(log, why)
	d.SetMaxIdleConns(0)
	d.SetMaxIdleConns(maxConns)
}

// stay is how long a server is kept at least that was chosen because another failed:
// that both who commit and who follow have failed there is to count once.
const stay = time.Second

// next chooses another server.
func (d *dialer) next(log *slog.Logger, why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.hosts) > 1 && time.Since(d.left) > stay {
		d.left = time.Now()
		was := d.names[d.last]
		d.last = (d.last + 1) % len(d.hosts)
		log.Warn("another database server is used", "was", was, "now", d.names[d.last], "err", why)
	}
}
