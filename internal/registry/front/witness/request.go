package witness

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// mostProof is the most hashes of a consistency proof that the specification lets a client send.
const mostProof = 63

var errMalformed = errors.New("want a line \"old SIZE\", the consistency proof with a hash a line, an empty line, and a signed checkpoint")

// request is what a log asks: to have a checkpoint cosigned that leads on from one of the old size.
type request struct {
	old   uint64
	proof []tlog.Hash
	note  string // the signed checkpoint
	text  string // what of it is signed
	head
}

// head is what the text of a checkpoint says.
type head struct {
	origin string
	size   uint64
	root   tlog.Hash
}

// parse reads a request, and verifies nothing.
func parse(body string) (r request, err error) {
	before, note, _ := strings.Cut(body, "\n\n")
	lines := strings.Split(before, "\n")
	old, ok := strings.CutPrefix(lines[0], "old ")
	if !ok || note == "" || len(lines)-1 > mostProof {
		return r, errMalformed
	}
	if r.old, err = number(old); err != nil {
		return r, err
	}
	for _, line := range lines[1:] {
		h, err := hash(line)
		if err != nil {
			return r, err
		}
		r.proof = append(r.proof, h)
	}
	text, _, ok := strings.Cut(note, "\n\n")
	if !ok {
		return r, errMalformed
	}
	r.note, r.text = note, text+"\n"
	r.head, err = parseHead(text)
	return r, err
}

// parseHead reads the first three lines of a checkpoint; lines of extensions may follow.
func parseHead(text string) (h head, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 3 || lines[0] == "" {
		return h, errMalformed
	}
	h.origin = lines[0]
	if h.size, err = number(lines[1]); err == nil {
		h.root, err = hash(lines[2])
	}
	return h, err
}

// number reads a size as the specification writes it: decimal, without leading zeros.
func number(text string) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > math.MaxInt64 || strconv.FormatUint(n, 10) != text {
		return 0, fmt.Errorf("%w: a size is no decimal number", errMalformed)
	}
	return n, nil
}

func hash(text string) (h tlog.Hash, err error) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != len(h) || base64.StdEncoding.EncodeToString(b) != text {
		return h, fmt.Errorf("%w: a hash is no base64 of 32 bytes", errMalformed)
	}
	return tlog.Hash(b), nil
}
