// Package profiles is the data of the boards and readers that are known, one TOML file each.
// internal/profile reads and proves them; docs/profiles.md explains every key.
package profiles

import "embed"

// Files has the profiles that the program carries.
//
//go:embed boards/*.toml readers/*.toml
var Files embed.FS
