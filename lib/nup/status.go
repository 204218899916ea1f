package nup

import "fmt"

// A Status is a reply's verdict on the whole request.
type Status uint16

// The statuses of the paper, and from StatusNotAdmitted on those that only a
// version 1 reply carries.
const (
	StatusOK             Status = 0
	StatusFailure        Status = 100
	StatusPartial        Status = 101 // in the paper; a node never sends it
	StatusInvalidElement Status = 102
	StatusNoElements     Status = 103
	StatusBadSignature   Status = 200
	StatusWrongSequence  Status = 300
	StatusUnsupported    Status = 400
	StatusObsolete       Status = 401
	StatusMalformed      Status = 500
	StatusTooShort       Status = 501
	StatusElementCount   Status = 502

	StatusNotAdmitted  Status = 110 // the node does not take this new account
	StatusTryLater     Status = 111 // nothing wrong with the request; RetryAfter says when
	StatusOverLimit    Status = 112 // a limit of the account or of a request
	StatusKeyReplaced  Status = 210 // the account has moved to another key
	StatusOtherService Status = 410 // signed for another installation
)

var statusText = map[Status]string{
	StatusOK:             "success",
	StatusFailure:        "failure",
	StatusPartial:        "partial success",
	StatusInvalidElement: "an element is invalid, nothing was changed",
	StatusNoElements:     "no elements",
	StatusBadSignature:   "invalid signature",
	StatusWrongSequence:  "wrong sequence number",
	StatusUnsupported:    "unsupported protocol version",
	StatusObsolete:       "obsolete protocol version",
	StatusMalformed:      "malformed packet",
	StatusTooShort:       "packet too short",
	StatusElementCount:   "element count is wrong",
	StatusNotAdmitted:    "new account not admitted",
	StatusTryLater:       "try again later",
	StatusOverLimit:      "over a limit",
	StatusKeyReplaced:    "key was replaced by another",
	StatusOtherService:   "signed for another service",
}

// String is the status in words; an unknown one is "status 7".
func (s Status) String() string {
	if t, ok := statusText[s]; ok {
		return t
	}
	return fmt.Sprintf("status %d", uint16(s))
}

// V0 is the status as version 0 can say it: those that only version 1 has
// become StatusFailure.
func (s Status) V0() Status {
	switch s {
	case StatusNotAdmitted, StatusTryLater, StatusOverLimit, StatusKeyReplaced, StatusOtherService:
		return StatusFailure
	}
	return s
}

// A Code is a reply's verdict on one element.
type Code uint16

// The codes of the paper, and from CodePrerequisite on those that only a
// version 1 reply carries.
const (
	CodeOK              Code = 0
	CodeBadOpcode       Code = 100
	CodeBadName         Code = 200
	CodeNameTooLong     Code = 201
	CodeNameChars       Code = 202
	CodeBadType         Code = 300
	CodeTypeUnsupported Code = 301
	CodeBadData         Code = 400
	CodeNoData          Code = 401
	CodeBadTTL          Code = 500
	CodeOtherErrors     Code = 600 // the element is good; a later one, or the node, failed
	CodeEarlierPacket   Code = 601 // the request failed before its elements were looked at
	CodeEarlierElement  Code = 602 // an element before this one failed

	CodePrerequisite  Code = 700 // a "require" does not hold
	CodeProofMissing  Code = 800 // validate: no proof found
	CodeProofTarget   Code = 801 // validate: the proof points elsewhere
	CodeProofTimeout  Code = 802 // validate: the look-up had no answer
	CodeProofDisagree Code = 803 // validate: two look-ups disagree
	CodeProofBogus    Code = 804 // validate: DNSSEC says the answer is forged
	CodeDomainRefused Code = 805 // validate: not a domain that can be owned here
)

var codeText = map[Code]string{
	CodeOK:              "success",
	CodeBadOpcode:       "invalid opcode",
	CodeBadName:         "invalid name",
	CodeNameTooLong:     "name too long",
	CodeNameChars:       "name contains invalid characters",
	CodeBadType:         "invalid record type",
	CodeTypeUnsupported: "record type not supported",
	CodeBadData:         "invalid record data",
	CodeNoData:          "record data missing",
	CodeBadTTL:          "invalid TTL",
	CodeOtherErrors:     "not processed because of other errors",
	CodeEarlierPacket:   "not processed because of an error in the packet",
	CodeEarlierElement:  "not processed because of an error in an earlier element",
	CodePrerequisite:    "prerequisite does not hold",
	CodeProofMissing:    "no proof of ownership found",
	CodeProofTarget:     "proof of ownership points elsewhere",
	CodeProofTimeout:    "looking for the proof of ownership timed out",
	CodeProofDisagree:   "two look-ups of the proof of ownership disagree",
	CodeProofBogus:      "DNSSEC validation of the proof of ownership failed",
	CodeDomainRefused:   "domain cannot be owned here",
}

// String is the code in words; an unknown one is "code 7".
func (c Code) String() string {
	if t, ok := codeText[c]; ok {
		return t
	}
	return fmt.Sprintf("code %d", uint16(c))
}

// V0 is the code as version 0 can say it: those that only version 1 has become
// CodeOtherErrors.
func (c Code) V0() Code {
	if c >= CodePrerequisite {
		return CodeOtherErrors
	}
	return c
}

// FailedElement gives the codes of a request of count elements whose element i
// failed with the code: its own, CodeOtherErrors for those before it, which
// were good, and CodeEarlierElement for those after it, which were not tried.
func FailedElement(count, i int, code Code) []Code {
	codes := make([]Code, count)
	for j := range codes {
		switch {
		case j < i:
			codes[j] = CodeOtherErrors
		case j == i:
			codes[j] = code
		default:
			codes[j] = CodeEarlierElement
		}
	}
	return codes
}
