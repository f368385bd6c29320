package gpio

import (
	"fmt"
	"os"
	"sync"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"

	"gatehouse/device"
)

// OpenOutput requests one line as an output. The request itself drives it
// inactive: there is no moment of another level. Set fails with ErrUnplugged
// when the chip has gone, with os.ErrClosed after Close. Close makes the line
// an input, which leaves it to the board's pull on every kernel, also on those
// that keep the level of a released output. Safe for concurrent use.
func OpenOutput(cfg device.OutputConfig) (device.Output, error) {
	req := uapi.LineRequest{}
	req.Config.Flags = uapi.LineFlagV2Output
	if cfg.ActiveLow {
		req.Config.Flags |= uapi.LineFlagV2ActiveLow
	}
	inactive := uapi.LineConfigAttribute{Attr: uapi.OutputValues(0).Encode(), Mask: 1}
	req.Config.AddAttribute(inactive)
	fd, err := request(cfg.Chip, cfg.Label, []int{cfg.Offset}, cfg.Consumer, req)
	if err != nil {
		return nil, fmt.Errorf("%s line %d: %w", cfg.Chip, cfg.Offset, err)
	}
	return &output{fd: fd, name: fmt.Sprintf("%s line %d", cfg.Chip, cfg.Offset)}, nil
}

type output struct {
	name string

	mu sync.Mutex
	fd int // -1: closed
}

func (o *output) Set(active bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fd < 0 {
		return fmt.Errorf("set %s: %w", o.name, os.ErrClosed)
	}
	values := uapi.LineValues{Mask: 1}
	if active {
		values.Bits = 1
	}
	if err := uapi.SetLineValuesV2(uintptr(o.fd), values); err != nil {
		return fmt.Errorf("set %s: %w", o.name, unplugged(err))
	}
	return nil
}

func (o *output) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fd < 0 {
		return nil
	}
	input := uapi.LineConfig{Flags: uapi.LineFlagV2Input}
	err := uapi.SetLineConfigV2(uintptr(o.fd), &input)
	if err2 := unix.Close(o.fd); err == nil {
		err = err2
	}
	o.fd = -1
	if err != nil {
		return fmt.Errorf("close %s: %w", o.name, unplugged(err))
	}
	return nil
}
