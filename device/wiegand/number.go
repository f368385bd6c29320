package wiegand

import (
	"math/big"
	"math/bits"
)

// number is a number of up to 256 bits, low word first: as long as the longest
// card, comparable, and without a heap.
type number [4]uint64

func numberOf(n *big.Int) (v number) {
	rest, word := new(big.Int).Set(n), new(big.Int)
	for i := range v {
		v[i] = word.And(rest, lowWord).Uint64()
		rest.Rsh(rest, 64)
	}
	return v
}

// lowWord masks 64 bits; it is never written.
var lowWord = new(big.Int).SetUint64(1<<64 - 1)

func (v number) big() *big.Int {
	sum := new(big.Int)
	for i := len(v) - 1; i >= 0; i-- {
		sum.Or(sum.Lsh(sum, 64), new(big.Int).SetUint64(v[i]))
	}
	return sum
}

// String is decimal.
func (v number) String() string { return v.big().String() }

func (v number) less(w number) bool {
	for i := len(v) - 1; i >= 0; i-- {
		if v[i] != w[i] {
			return v[i] < w[i]
		}
	}
	return false
}

// fromBCD reads decimal digits of four bits each, none above 9.
func (v number) fromBCD() (sum number) {
	for shift := 252; shift >= 0; shift -= 4 {
		carry := v[shift/64] >> (shift % 64) & 15
		for i := range sum {
			high, low := bits.Mul64(sum[i], 10)
			var over uint64
			sum[i], over = bits.Add64(low, carry, 0)
			carry = high + over
		}
	}
	return sum
}

// toBCD is its inverse for up to 64 digits.
func (v number) toBCD() (bcd number) {
	for shift := 0; shift < 256 && v != (number{}); shift += 4 {
		var digit uint64
		for i := len(v) - 1; i >= 0; i-- {
			v[i], digit = bits.Div64(digit, v[i], 10)
		}
		bcd[shift/64] |= digit << (shift % 64)
	}
	return bcd
}
