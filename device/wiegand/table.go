package wiegand

import (
	"slices"
	"strconv"
	"strings"

	"gatehouse/device"
)

// table has all formats but RAW. Names such as H10301, N10002 and C1k35s are those of the makers or
// of the card-cloning trade; W and a number are the open layouts that manuals call "Wiegand 26":
// all data as one number between the parity bits. max is set where the bits could hold a higher
// number than the maker issues: Encode keeps to it, Decode does not.
//
// The layouts are facts from makers' manuals, cardinfo.barkweb.com.au and the format list of the
// Proxmark3 client. Differences from the latter:
//   - HPP32 there writes a card number of 29 bits into 19; here it has the 19.
//   - H10320 there takes only numbers from 80000000, its first digit having run
//     over a fixed bit; here all. Before 2025 it had 36 bits. Bits 28 and 29 are
//     each covered twice where 26 and 27 would be expected: kept as seen.
//   - HGen37 there checks bit 28 where its encoder uses 26: here 26.
//   - C15001 there turns an OEM code of 0 into 900; here 0 is 0.
//   - P10001 there does not check its fixed 1111.
//   - ISCS, BC40 and Casi40 there cut a number that is too large; here it is refused.
var table = slices.Concat(short, long)

const (
	raw    = "RAW"
	minRaw = 16 // less is a key of a keypad
	maxRaw = device.MaxCardBits
)

// Lookup returns a format by its exact name. RAW16 to RAW256 are any bits of that number: for cards
// whose layout is unknown, which open doors all the same.
func Lookup(name string) (Format, bool) {
	for i := range table {
		if table[i].Name == name {
			return table[i], true
		}
	}
	digits, ok := strings.CutPrefix(name, raw)
	n, err := strconv.Atoi(digits)
	if !ok || err != nil || n < minRaw || n > maxRaw || strconv.Itoa(n) != digits {
		return Format{}, false
	}
	return rawFormat(n), true
}

func rawFormat(n int) Format {
	return Format{Name: raw + strconv.Itoa(n), Bits: n, card: num(0, uint8(n-1))}
}

// Names returns the names of all formats but RAW16 to RAW256, shortest format first.
func Names() []string {
	names := make([]string, len(table))
	for i := range table {
		names[i] = table[i].Name
	}
	return names
}

func even(at uint8, over []uint8) parity { return parity{at: at, over: over} }

func odd(at uint8, over []uint8) parity { return parity{at: at, odd: true, over: over} }

// evenOdd is the usual pair of parity bits: bit 0 even over the bits 1 to left, bit last+1 odd over
// the bits first to last.
func evenOdd(left, first, last uint8) []parity {
	return []parity{even(0, run(1, left)), odd(last+1, run(first, last))}
}

// num is a number of the bits first to last.
func num(first, last uint8) field { return field{list: run(first, last)} }

func run(first, last uint8) []uint8 { return every(1, first, last) }

// every lists the bits first, first+step and so on up to last.
func every(step, first, last uint8) []uint8 {
	var list []uint8
	for i := int(first); i <= int(last); i += int(step) {
		list = append(list, uint8(i))
	}
	return list
}

// without returns the bits of list that are in none of the others.
func without(list []uint8, others ...[]uint8) []uint8 {
	return slices.DeleteFunc(list, func(i uint8) bool { return slices.Contains(slices.Concat(others...), i) })
}
