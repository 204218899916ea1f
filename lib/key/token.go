package key

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
)

// Contexts keep the hashes of one purpose apart from those of another.
const (
	tokenContext = "namecast token v1\x00"
	workContext  = "namecast work v1\x00"
)

// ErrTokenSecret: an operator's token secret is too short or too long.
var ErrTokenSecret = errors.New("bad token secret")

// MinTokenSecret is the least length of an operator's token secret, in octets.
const MinTokenSecret = 16

// tokenOctets is how much of the code is the token: 26 characters.
const tokenOctets = 16

// Token makes the admission token that lets the account into the service: the
// first 128 bits of HMAC-SHA-256 under the operator's secret over a context, the
// service's name, a zero octet and the account's name, in lower-case base32.
// The names are in lower case.
func Token(secret []byte, service, account string) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(tokenContext + service + "\x00" + account))
	return base32Lower.EncodeToString(h.Sum(nil)[:tokenOctets])
}

// CheckToken tells whether the token is the account's, in a time that does not
// depend on how much of it is right. With an empty secret no token is.
func CheckToken(secret []byte, service, account, token string) bool {
	if len(secret) == 0 {
		return false
	}
	want := Token(secret, service, account)
	return subtle.ConstantTimeCompare([]byte(want), []byte(token)) == 1
}
