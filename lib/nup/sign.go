package nup

import (
	"encoding/binary"
	"fmt"

	"namecast/lib/key"
	"namecast/lib/rr"
)

// Context strings that keep signatures of different kinds apart.
const (
	updateContext = "namecast update v1\x00"
	rekeyContext  = "namecast rekey v1\x00"
)

// Sign makes the packet of the request. Version and Key become those of the
// secret, and the signatures of the new keys of rekey elements are filled in.
// The error says which element, counted from 1, the version cannot carry or a
// node would refuse; ErrTooLarge if the packet does not fit in a datagram.
func Sign(r *Request, k *key.Secret) ([]byte, error) {
	pub := k.Public()
	r.Version, r.Key = pub.Version(), pub.Bytes()
	if err := r.signRekeys(); err != nil {
		return nil, err
	}
	b, err := r.appendSigned(nil)
	if err != nil {
		return nil, err
	}
	sig, err := k.Sign(r.message(nil, b))
	if err != nil {
		return nil, fmt.Errorf("sign packet: %w", err)
	}
	r.signed = len(b)
	b = binary.BigEndian.AppendUint16(b, uint16(len(sig)))
	b = append(b, sig...)
	if len(b) > MaxPacket {
		return nil, fmt.Errorf("sign packet: %d octets: %w", len(b), ErrTooLarge)
	}
	again, err := ParseDatagram(b)
	if err != nil {
		return nil, fmt.Errorf("sign packet: %w", err)
	}
	again.Check()
	if i, code := again.BadElement(); i >= 0 {
		return nil, fmt.Errorf("sign packet: element %d: %s", i+1, code)
	}
	r.packet, r.sig = b, again.sig
	return b, nil
}

// appendSigned appends what the signature covers.
func (r *Request) appendSigned(b []byte) ([]byte, error) {
	b = append(b, Magic...)
	b = binary.BigEndian.AppendUint16(b, uint16(r.Version))
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Key)))
	b = append(b, r.Key...)
	if r.Version == 1 {
		if !serviceName(r.Service) {
			return nil, fmt.Errorf("sign packet: bad service name %q", r.Service.String())
		}
		b = append(append(b, byte(len(r.Service))), r.Service...)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(r.Seq))
	if limit := 1<<(15+r.Version) - 1; len(r.Elements) > limit {
		return nil, fmt.Errorf("sign packet: %d elements: %w", len(r.Elements), ErrTooLarge)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.Elements)))
	for i := range r.Elements {
		var err error
		if b, err = r.Elements[i].append(b, r.Version); err != nil {
			return nil, fmt.Errorf("sign packet: element %d: %w", i+1, err)
		}
	}
	if r.Version == 1 {
		if 4+r.Padding > MaxPacket || len(r.Token) > maxToken {
			return nil, fmt.Errorf("sign packet: options: %w", ErrTooLarge)
		}
		b = r.appendOptions(b)
	}
	return b, nil
}

// Pad sets the padding of a version 1 request so that it has at least size
// octets once it is signed.
func (r *Request) Pad(size int) error {
	r.Padding = 0
	b, err := r.appendSigned(nil)
	if err != nil || r.Version != 1 {
		return err
	}
	if room := size - len(b) - 2 - sigSizeV1; room > 0 {
		r.Padding = max(room-4, 1)
	}
	return nil
}

// message is what the signature is made of, from the octets it covers. It is
// put together in room, if that reaches.
func (r *Request) message(room, signed []byte) []byte {
	if r.Version == 0 {
		return signed
	}
	return append(append(room, updateContext...), signed...)
}

// usualPacket is as large as what is signed usually is, in octets.
const usualPacket = 512

// Verify reports whether the request's signature is pub's, and if it is, looks
// into the elements with Check. It does not look whether pub is the key in the
// packet.
func (r *Request) Verify(pub key.Public) bool {
	var room [usualPacket]byte
	if pub.Version() != r.Version || !pub.Verify(r.message(room[:0], r.packet[:r.signed]), r.sig) {
		return false
	}
	r.Check()
	return true
}

// RekeyMessage is what a new key signs to take an account over from the old.
func RekeyMessage(service rr.Name, oldKey, newKey []byte, seq int64) []byte {
	b := append([]byte(rekeyContext), service...)
	b = append(b, 0)
	b = append(append(b, oldKey...), newKey...)
	return binary.BigEndian.AppendUint64(b, uint64(seq))
}

// signRekeys fills in the new keys' signatures.
func (r *Request) signRekeys() error {
	for i := range r.Elements {
		e := &r.Elements[i]
		if e.Op != OpRekey || e.NewSecret == nil {
			continue
		}
		e.NewKey = e.NewSecret.Public().Bytes()
		sig, err := e.NewSecret.Sign(RekeyMessage(r.Service, r.Key, e.NewKey, r.Seq))
		if err != nil {
			return fmt.Errorf("sign new key: %w", err)
		}
		e.NewSig = sig
	}
	return nil
}

// VerifyRekey reports whether a rekey element of the request is signed by the
// new key it brings.
func (r *Request) VerifyRekey(e Element) bool {
	pub, err := key.ParsePublic(r.Version, e.NewKey)
	return err == nil && pub.Verify(RekeyMessage(r.Service, r.Key, e.NewKey, r.Seq), e.NewSig)
}
