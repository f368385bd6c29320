package wire

import (
	"fmt"
	"strings"
)

// Root of all topics; the version is that of the topics' layout.
const topicRoot = "gatehouse/v1"

// HouseLevel stands in a building's topic where a gateway's id stands in those
// of its gateways; no gateway may be named so.
const HouseLevel = "house"

// The three directions below a gateway's place.
const (
	DirUp     = "up"     // from the gateway, by message type
	DirDown   = "down"   // to the gateway, by message type
	DirStatus = "status" // last will and its opposite
)

// Place is where a gateway stands. Topics are made of it, and nothing personal
// is in them.
type Place struct {
	District string
	Town     string
	Building string // unique within the registry
	Gateway  string // unique within the building
}

// Check refuses a place whose ids are not [a-z0-9-]{1,32}.
func (p Place) Check() error {
	for what, id := range map[string]string{"district": p.District, "town": p.Town, "building": p.Building, "gateway": p.Gateway} {
		if !ValidName(id, false) {
			return fmt.Errorf("%w: %s %q: want [a-z0-9-]{1,32}", ErrMalformed, what, id)
		}
	}
	if p.Gateway == HouseLevel {
		return fmt.Errorf("%w: no gateway may be named %q", ErrMalformed, HouseLevel)
	}
	return nil
}

// Address is the gateway's in envelopes: building/gateway.
func (p Place) Address() string { return p.Building + "/" + p.Gateway }

// Up is the topic on which the gateway sends messages of a type; "+" for all.
func (p Place) Up(kind string) string { return p.topic(p.Gateway, DirUp, kind) }

// Down is the topic on which the gateway gets messages of a type; "+" for all.
func (p Place) Down(kind string) string { return p.topic(p.Gateway, DirDown, kind) }

// Status is the topic of the gateway's last will.
func (p Place) Status() string { return p.topic(p.Gateway, DirStatus) }

// House is the topic on which the gateway of that id talks to those of the same
// building; "+" for all of them.
func (p Place) House(gateway string) string { return p.topic(HouseLevel, gateway) }

// UpFilter and StatusFilter are what a registry subscribes to.
const (
	UpFilter     = topicRoot + "/+/+/+/+/" + DirUp + "/+"
	StatusFilter = topicRoot + "/+/+/+/+/" + DirStatus
)

func (p Place) topic(more ...string) string {
	return strings.Join(append([]string{topicRoot, p.District, p.Town, p.Building}, more...), "/")
}

// ParseTopic splits a topic. For a gateway's topics dir is one of the Dir
// constants and kind the message type (empty for a status); for a building's,
// dir is HouseLevel and Place.Gateway the sender.
func ParseTopic(topic string) (p Place, dir, kind string, err error) {
	rest, ok := strings.CutPrefix(topic, topicRoot+"/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) < 5 || len(parts) > 6 {
		return Place{}, "", "", fmt.Errorf("topic: %w: not one of %s", ErrMalformed, topicRoot)
	}
	p = Place{District: parts[0], Town: parts[1], Building: parts[2], Gateway: parts[3]}
	dir = parts[4]
	switch {
	case p.Gateway == HouseLevel && len(parts) == 5:
		p.Gateway, dir = parts[4], HouseLevel
	case dir == DirStatus && len(parts) == 5:
	case (dir == DirUp || dir == DirDown) && len(parts) == 6 && ValidName(parts[5], false):
		kind = parts[5]
	default:
		return Place{}, "", "", fmt.Errorf("topic: %w: not one of %s", ErrMalformed, topicRoot)
	}
	if err := p.Check(); err != nil {
		return Place{}, "", "", fmt.Errorf("topic: %w", err)
	}
	return p, dir, kind, nil
}

// ValidAddress reports whether s can be an envelope's address: the id of a
// building or a registry, or building/gateway.
func ValidAddress(s string) bool {
	building, gateway, two := strings.Cut(s, "/")
	return ValidName(building, false) && (!two || ValidName(gateway, false))
}

func checkDoors(doors []string) error {
	if len(doors) > maxDoors {
		return fmt.Errorf("%w: %d doors", ErrMalformed, len(doors))
	}
	for i, d := range doors {
		if !ValidName(d, false) || i > 0 && doors[i-1] >= d {
			return fmt.Errorf("%w: doors not ids in ascending order", ErrMalformed)
		}
	}
	return nil
}
