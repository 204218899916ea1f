package packet

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
)

// ErrSignature: a Hello is not signed by the node that it is from.
var ErrSignature = errors.New("bad signature of a hello")

// helloContext begins what the signature of a Hello is of.
const helloContext = "namecast hello v1\x00"

// NodeIDOf gives the NodeID of who has the secret to a public key.
func NodeIDOf(public ed25519.PublicKey) NodeID {
	sum := sha256.Sum256(public)
	return NodeID(sum[:len(NodeID{})])
}

// SignHello signs a message with a Hello, and sets its sender and the Hello's key. It is
// to be signed anew when anything in it is changed. The error is ErrMalformed.
func SignHello(m *Message, key ed25519.PrivateKey) error {
	h, ok := m.Body.(*Hello)
	if !ok || len(key) != ed25519.PrivateKeySize {
		return fmt.Errorf("%w: nothing to sign, or no key", ErrMalformed)
	}
	public := key.Public().(ed25519.PublicKey)
	h.Key, m.From = [32]byte(public), NodeIDOf(public)
	text, err := signedHello(m, h)
	if err != nil {
		return err
	}
	h.Signature = [64]byte(ed25519.Sign(key, text))
	return nil
}

// CheckHello checks that a message with a Hello is signed by its sender. The error is
// ErrSignature or ErrMalformed.
func CheckHello(m *Message) error {
	h, ok := m.Body.(*Hello)
	if !ok {
		return fmt.Errorf("%w: not a hello", ErrMalformed)
	}
	if NodeIDOf(h.Key[:]) != m.From {
		return fmt.Errorf("%w: the key is not that of %v", ErrSignature, m.From)
	}
	text, err := signedHello(m, h)
	if err != nil {
		return err
	}
	if !ed25519.Verify(h.Key[:], text, h.Signature[:]) {
		return ErrSignature
	}
	return nil
}

// signedHello is what is signed: the context and the message without the signature.
func signedHello(m *Message, h *Hello) ([]byte, error) {
	b, err := appendMessage([]byte(helloContext), m)
	if err != nil {
		return nil, err
	}
	at := len(helloContext) + messageHead + len(h.Key)
	return append(b[:at], b[at+len(h.Signature):]...), nil
}
