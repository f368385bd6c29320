package evidence

import (
	"bytes"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"io"
	"slices"
)

// Names of what is in a file, in this order. Those of optional are there or not.
const (
	nameReadMeZh     = "read-me.zh.txt"
	nameReadMe       = "read-me.en.txt"
	nameManifest     = "manifest.json"
	nameEntries      = "entries.cbor"
	nameCDDL         = "entries.cddl"
	nameCheckpoint   = "checkpoint"
	nameProof        = "range-proof"
	nameEarlier      = "earlier-checkpoint"
	nameEarlierProof = "earlier-range-proof"
	namePolicy       = "tlog-policy"
	nameClock        = "clock.json"
	nameTrust        = "trust.cose"
	nameHouse        = "house.cose"
	nameSM3          = "SM3SUMS"
	nameSHA256       = "SHA256SUMS"
	nameSignature    = "signature"
)

var (
	names    = [...]string{nameReadMeZh, nameReadMe, nameManifest, nameEntries, nameCDDL, nameCheckpoint, nameProof, nameEarlier, nameEarlierProof, namePolicy, nameClock, nameTrust, nameHouse, nameSM3, nameSHA256, nameSignature}
	optional = [...]string{nameEarlier, nameEarlierProof, nameTrust, nameHouse}
)

// maxFile bounds a file in bytes: some eight million entries.
const maxFile = 1 << 30

// member is one file in the zip.
type member struct {
	name string
	data []byte
	crc  uint32
	size uint32
	sum  [32]byte // SHA-256
}

// The zip is the plainest that there is (APPNOTE 6.3, version 2.0): nothing compressed, no extra
// field, no comment, all times the first that the format knows. So its bytes follow from what is in
// it, and every other byte is a change.
const (
	zipLocal   = "PK\x03\x04"
	zipCentral = "PK\x01\x02"
	zipEnd     = "PK\x05\x06"
	localSize  = 30
	zipVersion = 20
	zipDate    = 1<<5 | 1 // 1980-01-01
)

// common are the fields that a local header and the directory share.
func (m member) common(b []byte) []byte {
	b = binary.LittleEndian.AppendUint16(b, zipVersion)
	b = append(b, 0, 0, 0, 0, 0, 0) // flags, method, time
	b = binary.LittleEndian.AppendUint16(b, zipDate)
	b = binary.LittleEndian.AppendUint32(b, m.crc)
	b = binary.LittleEndian.AppendUint32(b, m.size) // compressed
	b = binary.LittleEndian.AppendUint32(b, m.size)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(m.name)))
	return append(b, 0, 0) // no extra field
}

// header is what stands before a member's bytes.
func (m member) header() []byte { return append(m.common([]byte(zipLocal)), m.name...) }

// directory is what stands behind all members.
func directory(all []member) []byte {
	var b []byte
	offset := uint32(0)
	for _, m := range all {
		b = binary.LittleEndian.AppendUint16(append(b, zipCentral...), zipVersion)
		b = append(m.common(b), make([]byte, 10)...) // comment, disk, attributes
		b = append(binary.LittleEndian.AppendUint32(b, offset), m.name...)
		offset += uint32(localSize+len(m.name)) + m.size
	}
	size := uint32(len(b))
	b = append(append(b, zipEnd...), 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(all)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(all)))
	b = binary.LittleEndian.AppendUint32(b, size)
	b = binary.LittleEndian.AppendUint32(b, offset)
	return append(b, 0, 0)
}

// readZip returns the members of a file that is as Write makes it, each of a name that is known,
// once and in its place. They share the bytes of file. What one claims can't be more than there is.
func readZip(file []byte) ([]member, error) {
	switch {
	case len(file) > maxFile || !bytes.HasPrefix(file, []byte(zipLocal)):
		return nil, refuse(NotEvidence, "", nil)
	case !bytes.HasPrefix(file, (member{name: names[0]}).header()[:8]):
		return nil, refuse(Repacked, "", nil)
	}
	var all []member
	rest := file
	for bytes.HasPrefix(rest, []byte(zipLocal)) {
		m, size, err := readMember(rest)
		if err != nil {
			return nil, err
		}
		all, rest = append(all, m), rest[size:]
	}
	want := directory(all)
	if len(rest) < len(want) && bytes.HasPrefix(want, rest) {
		return nil, refuse(Cut, "", nil)
	}
	if !bytes.Equal(rest, want) {
		return nil, refuse(Repacked, "", nil)
	}
	return all, inOrder(all)
}

// readMember reads one member from the front, and says how many bytes it takes.
func readMember(b []byte) (m member, size int, err error) {
	if len(b) < localSize {
		return m, 0, refuse(Cut, "", nil)
	}
	m.crc, m.size = binary.LittleEndian.Uint32(b[14:]), binary.LittleEndian.Uint32(b[22:])
	length := int(binary.LittleEndian.Uint16(b[26:]))
	switch {
	case length > len(nameEarlierProof):
		return m, 0, refuse(Repacked, "", nil)
	case len(b) < localSize+length:
		return m, 0, refuse(Cut, "", nil)
	}
	m.name = string(b[localSize : localSize+length])
	if !slices.Contains(names[:], m.name) || !bytes.HasPrefix(b, m.header()) {
		return m, 0, refuse(Repacked, "", nil)
	}
	b = b[localSize+length:]
	if uint64(len(b)) < uint64(m.size) {
		return m, 0, refuse(Cut, m.name, nil)
	}
	m.data = b[:m.size:m.size]
	if crc32.ChecksumIEEE(m.data) != m.crc {
		return m, 0, refuse(Changed, m.name, nil)
	}
	return m, localSize + length + int(m.size), nil
}

// inOrder refuses members that are not the ones there have to be.
func inOrder(all []member) error {
	i := 0
	for _, name := range names {
		if i < len(all) && all[i].name == name {
			i++
		} else if !slices.Contains(optional[:], name) {
			return refuse(Repacked, name, nil)
		}
	}
	if i < len(all) {
		return refuse(Repacked, all[i].name, nil)
	}
	return nil
}

// meter counts and sums what is written to it.
type meter struct {
	hash.Hash // SHA-256 or SM3
	crc       uint32
	size      uint64
}

func (m *meter) Write(b []byte) (int, error) {
	m.crc, m.size = crc32.Update(m.crc, crc32.IEEETable, b), m.size+uint64(len(b))
	return m.Hash.Write(b)
}

// writeZip writes the members; body writes the entries where they have no data here.
func writeZip(w io.Writer, all []member, body func(io.Writer) error) error {
	for _, m := range all {
		if _, err := w.Write(m.header()); err != nil {
			return err
		}
		if m.data == nil && m.name == nameEntries {
			if err := body(w); err != nil {
				return err
			}
		} else if _, err := w.Write(m.data); err != nil {
			return err
		}
	}
	_, err := w.Write(directory(all))
	return err
}
