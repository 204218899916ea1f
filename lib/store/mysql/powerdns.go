package mysql

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"namecast/lib/rr"
)

// powerdnsTables are the tables of PowerDNS's generic MySQL backend, version 4.7, as
// its manual has them. Those that are there are left as they are.
var powerdnsTables = []string{
	`CREATE TABLE IF NOT EXISTS domains (
		id INT AUTO_INCREMENT PRIMARY KEY,
		name VARCHAR(255) NOT NULL,
		master VARCHAR(128) DEFAULT NULL,
		last_check INT DEFAULT NULL,
		type VARCHAR(8) NOT NULL,
		notified_serial INT UNSIGNED DEFAULT NULL,
		account VARCHAR(40) CHARACTER SET utf8 DEFAULT NULL,
		options VARCHAR(64000) DEFAULT NULL,
		catalog VARCHAR(255) DEFAULT NULL,
		UNIQUE KEY name_index (name),
		KEY catalog_idx (catalog)
	) ENGINE=InnoDB DEFAULT CHARSET=latin1`,
	`CREATE TABLE IF NOT EXISTS records (
		id BIGINT AUTO_INCREMENT PRIMARY KEY,
		domain_id INT DEFAULT NULL,
		name VARCHAR(255) DEFAULT NULL,
		type VARCHAR(10) DEFAULT NULL,
		content VARCHAR(64000) DEFAULT NULL,
		ttl INT DEFAULT NULL,
		prio INT DEFAULT NULL,
		disabled TINYINT(1) DEFAULT 0,
		ordername VARCHAR(255) BINARY DEFAULT NULL,
		auth TINYINT(1) DEFAULT 1,
		KEY nametype_index (name, type),
		KEY domain_id (domain_id),
		KEY ordername (ordername)
	) ENGINE=InnoDB DEFAULT CHARSET=latin1`,
	`CREATE TABLE IF NOT EXISTS supermasters (
		ip VARCHAR(64) NOT NULL,
		nameserver VARCHAR(255) NOT NULL,
		account VARCHAR(40) CHARACTER SET utf8 NOT NULL,
		PRIMARY KEY (ip, nameserver)
	) ENGINE=InnoDB DEFAULT CHARSET=latin1`,
	`CREATE TABLE IF NOT EXISTS comments (
		id INT AUTO_INCREMENT PRIMARY KEY,
		domain_id INT NOT NULL,
		name VARCHAR(255) NOT NULL,
		type VARCHAR(10) NOT NULL,
		modified_at INT NOT NULL,
		account VARCHAR(40) CHARACTER SET utf8 DEFAULT NULL,
		comment TEXT CHARACTER SET utf8 NOT NULL,
		KEY comments_name_type_idx (name, type),
		KEY comments_order_idx (domain_id, modified_at)
	) ENGINE=InnoDB DEFAULT CHARSET=latin1`,
	`CREATE TABLE IF NOT EXISTS domainmetadata (
		id INT AUTO_INCREMENT PRIMARY KEY,
		domain_id INT NOT NULL,
		kind VARCHAR(32),
		content TEXT,
		KEY domainmetadata_idx (domain_id, kind)
	) ENGINE=InnoDB DEFAULT CHARSET=latin1`,
	`CREATE TABLE IF NOT EXISTS cryptokeys (
		id INT AUTO_INCREMENT PRIMARY KEY,
		domain_id INT NOT NULL,
		flags INT NOT NULL,
		active BOOL,
		published BOOL DEFAULT 1,
		content TEXT,
		KEY domainidindex (domain_id)
	) ENGINE=InnoDB DEFAULT CHARSET=latin1`,
	`CREATE TABLE IF NOT EXISTS tsigkeys (
		id INT AUTO_INCREMENT PRIMARY KEY,
		name VARCHAR(255),
		algorithm VARCHAR(50),
		secret VARCHAR(255),
		UNIQUE KEY namealgoindex (name, algorithm)
	) ENGINE=InnoDB DEFAULT CHARSET=latin1`,
}

// A Service is what the zones have besides the accounts' records.
type Service struct {
	Base rr.Name // lower case
	// Apex makes the SOA record and the automatic NS records of a zone; the owners
	// are empty. The base zone has the contact "" and the TTL 0.
	Apex func(contact rr.Name, ttl, serial uint32) []rr.Set
	// Hosts are the addresses of the name servers below the base, their owners
	// relative to it.
	Hosts []rr.Set
}

// Limits of PowerDNS's columns, in octets.
const (
	maxName    = 255
	maxContent = 64000
)

// A row is one of the table records, without its zone.
type row struct {
	name      string
	kind      any // text, or nil for a name that is only above others
	content   any
	ttl       any
	prio      any
	ordername any // nil if it is not in the order of names
	auth      bool
}

// rowColumns are the columns of a row, with the zone's number first.
const rowColumns = `domain_id, name, type, content, ttl, prio, ordername, auth`

func (r row) args(zone int64) []any {
	return []any{zone, r.name, r.kind, r.content, r.ttl, r.prio, r.ordername, r.auth}
}

// A spot is a name of an account, as far as its rows depend on what is around it.
type spot struct {
	owner rr.Name // relative to the account's suffix, lower case
	sets  []rr.Set
	below bool // a name below it has records
	under bool // it is below a delegation
	empty bool // it has no records, and all names below it are at or below delegations
}

// delegates reports whether a delegation begins at the spot.
func (p spot) delegates() bool {
	return p.owner != "" && slices.ContainsFunc(p.sets, func(s rr.Set) bool { return s.Type == rr.TypeNS })
}

// rows makes the rows of a spot in a zone: name is the whole name, rel that which is
// relative to the zone. The first error is that of a name or data that PowerDNS's
// columns do not hold: it is left out.
func (p spot) rows(name, rel rr.Name, sets []rr.Set) (list []row, err error) {
	text := powerdnsName(name)
	if len(text) > maxName {
		return nil, fmt.Errorf("name %s is too long for PowerDNS's tables", name)
	}
	if len(sets) == 0 {
		if !p.below {
			return nil, nil
		}
		return []row{{name: text, auth: !p.under && !p.empty}}, nil
	}
	cut := p.delegates()
	for _, s := range sets {
		r := row{name: text, kind: powerdnsType(s.Type), ttl: s.TTL, auth: !p.under && (!cut || s.Type == rr.TypeDS)}
		if r.auth || cut && s.Type == rr.TypeNS && !p.under {
			r.ordername = ordername(rel)
		}
		for _, d := range s.Data {
			content := powerdnsText(s.Type, d)
			number, rest, _ := strings.Cut(content, " ")
			split := s.Type == rr.TypeMX || s.Type == rr.TypeSRV // has its preference in a column of its own
			if split && number == `\#` || len(content) > maxContent {
				err = fmt.Errorf("%s %s does not fit into PowerDNS's tables", name, s.Type)
				continue
			}
			r.prio = 0
			if split {
				r.prio, content = number, rest
			}
			r.content = content
			list = append(list, r)
		}
	}
	return list, err
}

// Types whose data PowerDNS wants in another form than the common one.
const (
	typeCERT  rr.Type = 37
	typeSVCB  rr.Type = 64
	typeHTTPS rr.Type = 65
)

// plainValue is a quoted value of SVCB that needs no quotes.
var plainValue = regexp.MustCompile(`="([^" \\]+)"`)

// powerdnsTypes are the types that PowerDNS 4.7 knows by name. Others stand there as
// RFC 3597 has them; a newer PowerDNS that knows more needs its setting
// upgrade-unknown-types for those.
var powerdnsTypes = []rr.Type{
	1, 2, 5, 6, 12, 13, 14, 15, 16, 17, 18, 24, 25, 28, 29, 33, 35, 36, 37, 39, 42, 43, 44, 45, 48, 49, 52, 53,
	59, 60, 61, 62, 63, 64, 65, 99, 104, 105, 106, 107, 108, 109, 256, 257, rr.TypeALIAS,
}

// powerdnsType is the type's name in the tables.
func powerdnsType(t rr.Type) string {
	if slices.Contains(powerdnsTypes, t) {
		return t.String()
	}
	return fmt.Sprintf("TYPE%d", t)
}

// powerdnsText is the text of data as PowerDNS reads it: numbers instead of the words
// of CERT (RFC 4398 section 2.2), and no quotes around values of SVCB (RFC 9460
// section 2.1) that are numbers or lists.
func powerdnsText(t rr.Type, d rr.Data) string {
	switch {
	case !slices.Contains(powerdnsTypes, t):
		return d.Generic()
	case t == typeCERT && len(d) > 5:
		return fmt.Sprintf("%d %d %d %s", uint16(d[0])<<8|uint16(d[1]), uint16(d[2])<<8|uint16(d[3]), d[4],
			base64.StdEncoding.EncodeToString([]byte(d[5:])))
	case t == typeSVCB || t == typeHTTPS:
		return plainValue.ReplaceAllString(d.Text(t), "=$1")
	}
	return d.Text(t)
}

// powerdnsName writes a name as PowerDNS does: in lower case, without the last dot.
func powerdnsName(n rr.Name) string {
	var b strings.Builder
	for i := 0; i < len(n); i += int(n[i]) + 1 {
		if i > 0 {
			b.WriteByte('.')
		}
		writeLabel(&b, n[i+1:i+1+int(n[i])])
	}
	return b.String()
}

// ordername is a name in the order of NSEC records: its labels from the last to the
// first, with blanks between them.
func ordername(rel rr.Name) string {
	var labels []string
	for i := 0; i < len(rel); i += int(rel[i]) + 1 {
		var b strings.Builder
		writeLabel(&b, rel[i+1:i+1+int(rel[i])])
		labels = append(labels, b.String())
	}
	slices.Reverse(labels)
	return strings.Join(labels, " ")
}

func writeLabel(b *strings.Builder, label rr.Name) {
	for i := 0; i < len(label); i++ {
		switch c := label[i]; {
		case c == '.' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c <= ' ' || c >= 0x7f:
			fmt.Fprintf(b, `\%03d`, c)
		case 'A' <= c && c <= 'Z':
			b.WriteByte(c + 'a' - 'A')
		default:
			b.WriteByte(c)
		}
	}
}
