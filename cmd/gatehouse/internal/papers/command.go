package papers

// Mandate is the command of officers and approvers.
type Mandate struct {
	New      newCmd      `cmd:"" help:"Fill in a mandate as JSON, from a file or asked for: registry, place, doors, span, case, notice, officers, recipient."`
	Sign     signCmd     `cmd:"" help:"Sign a filled-in mandate with an approver's key, here or in a token."`
	Show     showCmd     `cmd:"" help:"Print a mandate, signed or not, in Chinese and English."`
	Validate validateCmd `cmd:"" help:"Sign, as a second authority's approver, that a mandate of an emergency was right."`
	Status   statusCmd   `cmd:"" help:"Judge a signed mandate as a gateway would now, by a trust document."`
	Key      keyCmd      `cmd:"" help:"Make an officer's or approver's key to sign with, or a key to receive answers with."`
}
