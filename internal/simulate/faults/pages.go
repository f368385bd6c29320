package faults

import (
	"encoding/binary"
	"hash/fnv"
)

// Parts of a bbolt file: each page begins with its number (8 bytes), what it is (2), how many
// elements it has (2) and how many pages more belong to it (4).
const (
	boltPage   = 4096
	boltHeader = 16
	boltMagic  = 0xED0CDAED
)

// holdsNothing reports whether a byte of a database stands where nobody reads: a free page,
// the rest of one, or what is behind the last. Of another file every byte counts.
func holdsNothing(raw []byte, at int) bool {
	newest, found := -1, false
	for n := range 2 {
		if len(raw) >= (n+1)*boltPage && goodMeta(raw, n) && (!found || metaField(raw, n, 48) > metaField(raw, newest, 48)) {
			newest, found = n, true
		}
	}
	if !found || at < 2*boltPage {
		return false
	}
	pages, list := int(metaField(raw, newest, 40)), int(metaField(raw, newest, 32))
	if at >= pages*boltPage {
		return true
	}
	free := freePages(raw, list)
	for page := 2; page < pages; {
		more := 0
		if !free[page] {
			more = int(binary.LittleEndian.Uint32(raw[page*boltPage+12:]))
		}
		end := (page + 1 + more) * boltPage
		if at < end {
			return free[page] || !readsAt(raw[page*boltPage:end], at-page*boltPage)
		}
		page += 1 + more
	}
	return false
}

// goodMeta reports whether one of the two heads is one.
func goodMeta(raw []byte, n int) bool {
	sum := fnv.New64a()
	at := n*boltPage + boltHeader
	sum.Write(raw[at : at+56])
	return binary.LittleEndian.Uint32(raw[at:]) == boltMagic && metaField(raw, n, 56) == sum.Sum64()
}

func metaField(raw []byte, n, field int) uint64 {
	return binary.LittleEndian.Uint64(raw[n*boltPage+boltHeader+field:])
}

// freePages are those that the list of a database names.
func freePages(raw []byte, list int) map[int]bool {
	free, page := map[int]bool{}, raw[list*boltPage:]
	for n := range int(binary.LittleEndian.Uint16(page[10:])) {
		free[int(binary.LittleEndian.Uint64(page[boltHeader+8*n:]))] = true
	}
	return free
}

// readsAt reports whether a reader of a page that is in use reads a byte of it.
func readsAt(page []byte, at int) bool {
	const branch, leaf, freelist = 1, 2, 16
	kind, count := binary.LittleEndian.Uint16(page[8:]), int(binary.LittleEndian.Uint16(page[10:]))
	size := 16 // of an element; the list of free pages has 8
	if kind == freelist {
		size = 8
	}
	if at < boltHeader+size*count || kind != branch && kind != leaf && kind != freelist {
		return true
	}
	for n := 0; n < count && kind != freelist; n++ {
		element := page[boltHeader+16*n:]
		word := func(at int) int { return int(binary.LittleEndian.Uint32(element[at:])) }
		from, length := word(4), word(8)+word(12) // a leaf's: flags, position, sizes of key and value
		if kind == branch {
			from, length = word(0), word(4)
		}
		if from += boltHeader + 16*n; at >= from && at < from+length {
			return true
		}
	}
	return false
}
