package wiegand

// table has the formats in the order of their length. Bit 0 is the first on
// the wire. H10301 and H10306 are HID's names of the open 26- and 34-bit
// formats; W66 is the 64-bit member of the "EO" family (even parity over the
// first half of the data, odd over the second), the UID of a card as it is.
var table = []Format{
	{
		Name: "H10301", Bits: 26,
		facility: field{list: run(1, 8)},
		card:     field{list: run(9, 24)},
		parity:   []parity{even(0, run(1, 12)), odd(25, run(13, 24))},
	},
	{
		Name: "H10306", Bits: 34,
		facility: field{list: run(1, 16)},
		card:     field{list: run(17, 32)},
		parity:   []parity{even(0, run(1, 16)), odd(33, run(17, 32))},
	},
	{
		Name: "W66", Bits: 66,
		card:   field{list: run(1, 64)},
		parity: []parity{even(0, run(1, 32)), odd(65, run(33, 64))},
	},
}

// Lookup finds a format by its name.
func Lookup(name string) (Format, bool) {
	for _, f := range table {
		if f.Name == name {
			return f, true
		}
	}
	return Format{}, false
}

// Names lists the formats, shortest first.
func Names() []string {
	names := make([]string, len(table))
	for i, f := range table {
		names[i] = f.Name
	}
	return names
}

func even(at uint8, over []uint8) parity { return parity{at: at, over: over} }

func odd(at uint8, over []uint8) parity { return parity{at: at, odd: true, over: over} }

// run lists the bits first to last.
func run(first, last uint8) []uint8 { return every(1, first, last) }

// every lists the bits first, first+step and so on up to last.
func every(step, first, last uint8) []uint8 {
	var list []uint8
	for i := int(first); i <= int(last); i += int(step) {
		list = append(list, uint8(i))
	}
	return list
}
