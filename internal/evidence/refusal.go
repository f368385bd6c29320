package evidence

import "fmt"

// Code says why a file proves nothing.
type Code string

// The codes. Each has its words in both languages, and what to do.
const (
	NotEvidence   Code = "not_evidence" // no zip of ours, or too large
	Repacked      Code = "repacked"     // a zip that another program wrote, or that has more or less in it
	Cut           Code = "cut"          // the end is missing
	Changed       Code = "changed"      // a member is not what its sum says
	Newer         Code = "newer"        // of a format that this program does not know
	BadManifest   Code = "manifest"     // the manifest contradicts itself or the entries
	BadAuthority  Code = "authority"    // trust or house document does not lead from the root to the gateway
	OtherRoot     Code = "other_root"   // it is of another root than the one that was given
	BadPolicy     Code = "policy"       // the policy names other keys than the documents
	BadSignature  Code = "signature"    // neither gateway nor witness signed the sums
	BadCheckpoint Code = "checkpoint"   // the checkpoint is not signed, or of another log
	BadProof      Code = "proof"        // the entries do not lead to the checkpoint's root
	BadEntries    Code = "entries"      // bytes that are no entries
	BadClock      Code = "clock"        // the clock notes can't be read
)

// Refusal is the error of a file that does not prove what it says.
type Refusal struct {
	Code   Code
	Member string // of the zip; empty: the zip as a whole
	cause  error
}

// Error tells a program's log what is wrong; people read the words of Code.
func (r *Refusal) Error() string {
	text := "evidence file: " + string(r.Code)
	if r.Member != "" {
		text += ": " + r.Member
	}
	if r.cause != nil {
		text += fmt.Sprintf(": %v", r.cause)
	}
	return text
}

// Unwrap returns what was found, if more is known.
func (r *Refusal) Unwrap() error { return r.cause }

func refuse(code Code, member string, cause error) error {
	return &Refusal{Code: code, Member: member, cause: cause}
}
