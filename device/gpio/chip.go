// Package gpio opens lines of the Linux GPIO character device (uAPI v2, kernel
// 5.10 and later) as device.Lines and device.Output.
//
// It refuses to interpret: what an edge means is for whoever takes it. It
// refuses sysfs GPIO, software debounce and the wall clock. On other systems
// every call fails.
package gpio

// Chip is a GPIO chip, as the kernel describes it.
type Chip struct {
	Names []string // under /dev, its own first
	Label string
	Lines int
	Users map[int]string // by line: the kernel's name of its user
}
