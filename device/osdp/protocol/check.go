package protocol

// crcTable is the table of the CRC-16 with polynomial 0x1021, most significant
// bit first.
var crcTable = func() (t [256]uint16) {
	for i := range t {
		c := uint16(i) << 8
		for range 8 {
			carry := c&0x8000 != 0
			c <<= 1
			if carry {
				c ^= 0x1021
			}
		}
		t[i] = c
	}
	return t
}()

// crc16 is the check of OSDP: preset 0x1D0F, no final exclusive or. It is sent
// low byte first.
func crc16(b []byte) uint16 {
	c := uint16(0x1D0F)
	for _, v := range b {
		c = c<<8 ^ crcTable[byte(c>>8)^v]
	}
	return c
}

// checksum is the two's complement of the sum of all bytes.
func checksum(b []byte) byte {
	var sum byte
	for _, v := range b {
		sum += v
	}
	return -sum
}
