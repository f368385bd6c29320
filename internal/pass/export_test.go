package pass

import "time"

// Ago makes a Judge that was started so long ago.
func Ago(keys Keys, d time.Duration) *Judge { return ago(keys, d) }
