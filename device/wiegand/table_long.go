package wiegand

import "slices"

// long has the formats of 35 bits and more.
var long = []Format{
	{
		Name: "C1k35s", Bits: 35, facility: num(2, 13), card: num(14, 33),
		parity: []parity{even(1, without(run(2, 33), every(3, 4, 31))),
			odd(34, without(run(1, 32), every(3, 3, 30))), odd(0, run(1, 34))},
	},
	{Name: "C15001", Bits: 36, oem: num(1, 10), facility: num(11, 18), card: num(19, 34), parity: evenOdd(17, 18, 34)},
	{
		Name: "S12906", Bits: 36, facility: num(1, 8), issue: num(9, 10), card: num(11, 34),
		parity: []parity{odd(0, run(1, 17)), odd(35, run(17, 34))},
	},
	{
		Name: "S12906b", Bits: 36, facility: field{list: run(1, 8), only: 217}, card: num(11, 34),
		parity: []parity{odd(0, without(run(1, 34), every(3, 3, 9), run(10, 10), every(3, 11, 32))),
			even(9, without(run(2, 35), every(3, 4, 10), every(3, 9, 33))),
			even(10, without(run(1, 35), every(3, 2, 8), run(9, 9), every(3, 10, 34)))},
	},
	{
		Name: "Sie36", Bits: 36, facility: num(1, 18), card: num(19, 34),
		parity: []parity{odd(0, without(run(1, 34), every(3, 2, 32))), even(35, without(run(1, 34), every(3, 3, 33)))},
	},
	{ // ZKTeco "Wiegand36" and "Wiegand36a"
		Name: "W36", Bits: 36, facility: num(1, 16), card: num(17, 32), oem: num(33, 34),
		parity: []parity{odd(0, run(1, 17)), even(35, run(18, 34))},
	},
	{Name: "W36A", Bits: 36, facility: num(1, 18), card: num(19, 34), parity: evenOdd(17, 18, 34)},
	{
		Name: "H10320", Bits: 37, card: field{list: run(0, 31), bcd: true},
		parity: []parity{even(32, every(4, 0, 28)), odd(33, every(4, 1, 29)),
			even(34, append(every(4, 2, 22), 28, 30)), even(35, append(every(4, 3, 23), 29, 31))},
		fixed: []fixed{{36, 0}},
	},
	{Name: "H10302", Bits: 37, card: num(1, 35), parity: evenOdd(18, 18, 35)},
	{Name: "H10304", Bits: 37, facility: num(1, 16), card: num(17, 35), parity: evenOdd(18, 18, 35)},
	{Name: "P10004", Bits: 37, facility: num(1, 13), card: num(14, 31)},
	{
		Name: "HGen37", Bits: 37, card: field{list: run(4, 35), max: 524287},
		parity: []parity{even(0, every(4, 4, 32)), odd(2, every(4, 6, 34)), even(3, every(4, 7, 35))},
		fixed:  []fixed{{36, 1}, {1, 0}},
	},
	{Name: "MDI37", Bits: 37, facility: num(3, 6), card: num(7, 35), parity: evenOdd(18, 18, 35)},
	{ // ZKTeco "Wiegand37" and "Wiegand37a": device and site code together are the facility
		Name: "W37", Bits: 37, oem: num(1, 4), facility: num(5, 16), card: num(17, 35),
		parity: []parity{odd(0, run(1, 17)), even(36, run(18, 35))},
	},
	{Name: "W37A", Bits: 37, oem: num(1, 3), facility: num(4, 19), card: num(20, 35), parity: evenOdd(17, 18, 35)},
	{
		Name: "BQT38", Bits: 38, facility: field{list: run(24, 36), max: 4095}, issue: field{list: run(20, 23), max: 7},
		card:   field{list: run(1, 19), max: 262143},
		parity: evenOdd(18, 19, 36),
	},
	{
		Name: "ISCS", Bits: 38, oem: field{list: run(1, 4), max: 7}, facility: num(5, 14), card: num(15, 36),
		parity: evenOdd(18, 19, 36),
	},
	{Name: "PW39", Bits: 39, facility: field{list: run(1, 17), max: 65535}, card: num(18, 37), parity: evenOdd(18, 19, 37)},
	{
		Name: "P10001", Bits: 40, facility: num(4, 15), card: num(16, 31),
		fixed: []fixed{{0, 1}, {1, 1}, {2, 1}, {3, 1}}, xorWidth: 8,
	},
	{Name: "Casi40", Bits: 40, card: num(1, 38)},
	{
		Name: "Verkada40", Bits: 40, facility: num(1, 10), card: num(11, 38),
		parity: []parity{even(0, run(1, 10)), even(39, run(11, 38))},
	},
	{Name: "BC40", Bits: 40, oem: num(0, 6), facility: num(7, 18), card: num(19, 37), parity: []parity{odd(39, run(19, 37))}},
	{
		Name: "Defcon32", Bits: 42, facility: num(1, 16), issue: num(17, 20), card: num(21, 40),
		parity: []parity{even(0, every(2, 2, 20)), odd(41, every(2, 21, 39))},
	},
	{Name: "W42", Bits: 42, card: num(1, 40), parity: evenOdd(20, 21, 40)},
	{Name: "W44", Bits: 44, card: num(0, 39), xorWidth: 4},                     // CDVI: ten hex digits
	{Name: "HIK44", Bits: 44, card: num(0, 31), oem: num(32, 39), xorWidth: 4}, // Hikvision "Wiegand 44"
	{Name: "H800002", Bits: 46, facility: num(1, 14), card: num(15, 44), parity: evenOdd(44, 1, 44)},
	{
		Name: "C1k48s", Bits: 48, facility: num(2, 23), card: num(24, 46),
		parity: []parity{even(1, without(run(3, 46), every(3, 5, 44))),
			odd(47, without(run(2, 45), every(3, 4, 43))), odd(0, run(1, 47))},
	},
	{Name: "W50", Bits: 50, card: num(1, 48), parity: evenOdd(24, 25, 48)},
	{Name: "W50A", Bits: 50, facility: num(1, 16), card: num(17, 48), parity: evenOdd(24, 25, 48)}, // ZKTeco "Wiegand50"
	{Name: "Avig56", Bits: 56, facility: num(1, 20), card: num(21, 54), parity: evenOdd(27, 28, 54)},
	{Name: "IR56", Bits: 56, facility: num(0, 23), card: num(24, 55)},
	{Name: "W58", Bits: 58, card: num(1, 56), parity: evenOdd(28, 29, 56)},
	{ // agency, system, credential; issue is series and individual issue, four bits each
		Name: "TWIC58", Bits: 58, oem: num(1, 14), facility: num(15, 28), card: num(29, 48), issue: num(49, 56),
		parity: evenOdd(28, 29, 56),
	},
	{Name: "W66", Bits: 66, card: num(1, 64), parity: evenOdd(32, 33, 64)}, // a card's UID, unchanged
	// agency, system, credential, date of expiry; 0 and 74 are parity, but of which bits is not known for sure
	{Name: "PIV75", Bits: 75, oem: num(1, 14), facility: num(15, 28), card: num(29, 48), issue: num(49, 73)},
	fascn(),
}

// fascn is the FASC-N of US government cards (PACS TIG SCEPACS 2.2): 40 characters of four bits,
// lowest first, and an odd parity bit. 32 of them are digits, the card number. The others are
// marks, and at the end the XOR of all.
func fascn() Format {
	const start, separator, end, sum = 0, 5, 38, 39
	f := Format{Name: "FASCN200", Bits: 200, card: field{bcd: true}}
	marks := map[uint8]uint8{start: 0b1011, end: 0b1111} // lowest bit last
	for _, at := range []uint8{separator, 10, 17, 19, 21} {
		marks[at] = 0b1101
	}
	for at := range uint8(sum) {
		bits := run(5*at, 5*at+3)
		if mark, ok := marks[at]; ok {
			for i, bit := range bits {
				f.fixed = append(f.fixed, fixed{bit, mark >> i & 1})
			}
		} else {
			slices.Reverse(bits)
			f.card.list = append(f.card.list, bits...)
		}
	}
	for i := range uint8(4) {
		f.parity = append(f.parity, even(5*sum+i, every(5, i, 5*end+i)))
	}
	for at := range uint8(sum + 1) {
		f.parity = append(f.parity, odd(5*at+4, run(5*at, 5*at+3)))
	}
	return f
}
