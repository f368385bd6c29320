package gpio

// Chip is what the kernel says of a GPIO chip.
type Chip struct {
	Names []string // under /dev, its own first
	Label string
	Lines int
	Users map[int]string // by line: what the kernel calls who uses it
}
