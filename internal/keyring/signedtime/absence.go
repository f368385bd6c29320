package signedtime

// absence says when lists may have been missed, in s of the machine's own clock. A
// gateway that was away missed those of that time, and one that has refused a list
// goes on missing it. Both may take a share for each day since.
type absence struct {
	Heard   int64 `json:"heard,omitempty"`   // a witness, last
	Left    int64 `json:"left,omitempty"`    // before the last absence of more than a day
	Back    int64 `json:"back,omitempty"`    // when it was over
	Refused int64 `json:"refused,omitempty"` // since when a list waits
}

// hear notes that a witness was heard now.
func (a *absence) hear(own int64) {
	if a.Heard > 0 && own-a.Heard > Day {
		a.Left, a.Back = a.since(a.Heard), own
	}
	a.Heard = max(a.Heard, own)
}

// since is from when on lists may have been missed. An absence counts for a day
// after it: by then the lists of that time are here, or one was refused.
func (a *absence) since(own int64) int64 {
	switch {
	case a.Refused != 0:
		return a.Refused
	case a.Back != 0 && own < a.Back+Day:
		return a.Left
	case a.Heard != 0:
		return a.Heard
	}
	return own
}
