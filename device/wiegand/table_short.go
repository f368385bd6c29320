package wiegand

// short has the formats of up to 34 bits. Bit 0 is the first on the wire.
var short = []Format{
	{Name: "W24", Bits: 24, card: num(0, 23)},
	{Name: "H10301", Bits: 26, facility: num(1, 8), card: num(9, 24), parity: evenOdd(12, 13, 24)},
	{Name: "ind26", Bits: 26, facility: num(1, 12), card: num(13, 24), parity: evenOdd(12, 13, 24)},
	{Name: "W26", Bits: 26, card: num(1, 24), parity: evenOdd(12, 13, 24)},
	{
		Name: "T1", Bits: 26, card: num(1, 24), // the meaning of bit 0 is unknown
		parity: []parity{even(25, run(1, 24))},
	},
	{Name: "T2", Bits: 26, card: num(1, 24), parity: []parity{even(0, run(1, 12)), even(25, run(13, 24))}},
	{Name: "ind27", Bits: 27, facility: num(0, 12), card: num(13, 26)},
	{
		Name: "indasc27", Bits: 27,
		facility: field{list: []uint8{9, 4, 6, 5, 0, 7, 19, 8, 10, 16, 24, 12, 22}},
		card:     field{list: []uint8{26, 1, 3, 15, 14, 17, 20, 13, 25, 2, 18, 21, 11, 23}},
	},
	{
		Name: "Tecom27", Bits: 27,
		facility: field{list: []uint8{15, 19, 24, 23, 22, 18, 6, 10, 14, 3, 2}},
		card:     field{list: []uint8{0, 1, 13, 12, 9, 26, 20, 16, 17, 21, 25, 7, 8, 11, 4, 5}},
	},
	{
		Name: "2804W", Bits: 28, facility: num(4, 11), card: num(12, 26),
		parity: []parity{odd(2, without(run(4, 26), every(3, 6, 24))), even(0, run(1, 13)), odd(27, run(0, 26))},
	},
	{Name: "ind29", Bits: 29, facility: num(0, 12), card: num(13, 28)},
	{Name: "ATSW30", Bits: 30, facility: num(1, 12), card: num(13, 28), parity: evenOdd(12, 13, 28)},
	{Name: "W30", Bits: 30, card: num(1, 28), parity: evenOdd(14, 15, 28)}, // PROMAG, CDVI
	{Name: "ADT31", Bits: 31, facility: num(1, 4), card: num(5, 27)},
	{Name: "HCP32", Bits: 32, card: field{list: run(1, 24), max: 16383}},
	{Name: "HPP32", Bits: 32, facility: num(1, 12), card: num(13, 31)},
	{
		Name: "Kastle", Bits: 32, issue: num(2, 6), facility: num(7, 14), card: num(15, 30),
		fixed: []fixed{{1, 1}}, parity: evenOdd(16, 14, 30),
	},
	{Name: "Kantech", Bits: 32, facility: num(7, 14), card: num(15, 30)},
	{Name: "WIE32", Bits: 32, facility: num(4, 15), card: num(16, 31)},
	{Name: "W32", Bits: 32, card: num(0, 31)},
	{Name: "W32EO", Bits: 32, card: num(1, 30), parity: evenOdd(15, 16, 30)}, // Civintec, Synel
	{Name: "D10202", Bits: 33, facility: num(1, 7), card: num(8, 31), parity: evenOdd(16, 16, 31)},
	{Name: "H10306", Bits: 34, facility: num(1, 16), card: num(17, 32), parity: evenOdd(16, 17, 32)},
	{Name: "N10002", Bits: 34, facility: num(1, 16), card: num(17, 32), parity: evenOdd(16, 17, 32)},
	{Name: "Optus34", Bits: 34, facility: field{list: run(22, 32), max: 1023}, card: num(1, 16)},
	{Name: "SMP34", Bits: 34, facility: field{list: run(1, 13), max: 1023}, issue: num(14, 16), card: num(17, 32)},
	{Name: "BQT34", Bits: 34, facility: num(1, 8), card: num(9, 32), parity: evenOdd(16, 17, 32)},
	{Name: "W34", Bits: 34, card: num(1, 32), parity: evenOdd(16, 17, 32)},
}
