package text

// week is how long a file of the log is open, in days: the journal counts its days from the file's end.
const week = 7

// Kept returns what a tenant has to be told of the own data, in sentences: why, who keeps what and
// for how long, who can see it, how to ask. days is journal.who_days of the house; a house that is
// alone has no registry.
func (w Words) Kept(l Language, alone bool, days int) []string {
	say := func(key string, args ...any) string {
		if of := "kept." + key + "_alone"; alone && w.Has(of) {
			return w.Say(l, of, args...)
		}
		return w.Say(l, "kept."+key, args...)
	}
	all := []string{say("why"), say("gateway"), say("entries", days, days+week), say("seen")}
	if !alone {
		all = append(all, say("registry"))
	}
	return append(all, say("ask"))
}
