// Ids looks for numbers of identity documents in what a test run has printed and left: none may be
// there, a real person's or an invented one's. It says in which file, step and line one stands, and never
// the number.
//
//	go run ./.ci/ids FILE|DIRECTORY...
//
// A line "== STEP" begins a step of a transcript.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gatehouse/internal/amount"
	"gatehouse/internal/idnumber"
	"gatehouse/sync/wire"
)

func main() {
	s := search{out: os.Stdout, today: time.Now()}
	for _, path := range os.Args[1:] {
		if err := filepath.WalkDir(path, s.file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	if s.files == 0 {
		fmt.Fprintln(os.Stderr, "nothing was searched: want files or directories")
		os.Exit(2)
	}
	fmt.Fprintf(s.out, "%s in %s of %d kB\n", amount.Of(s.found, "identity number"), amount.Of(s.files, "file"), s.size>>10)
	if s.found > 0 {
		os.Exit(1)
	}
}

// search looks at files, and tells what it finds.
type search struct {
	out          io.Writer
	today        time.Time
	files, found int
	size         int
}

// file looks at a file. It is an fs.WalkDirFunc.
func (s *search) file(path string, e fs.DirEntry, err error) error {
	if err != nil || !e.Type().IsRegular() {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	s.files++
	return s.read(path, f)
}

// read looks at all lines of what a file holds, also where that is no text.
func (s *search) read(path string, from io.Reader) error {
	lines, step := bufio.NewReaderSize(from, 1<<20), ""
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if name, ok := bytes.CutPrefix(line, []byte("== ")); ok {
			step = fmt.Sprintf(", step %q", bytes.TrimSpace(name))
		}
		s.size += len(line)
		for word := range bytes.FieldsFuncSeq(line, between) {
			if s.is(word) {
				s.found++
				fmt.Fprintf(s.out, "%s%s, line %d: an identity number\n", path, step, n)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// between reports whether a character ends a word. Hashes and keys are one word, however many digits in a
// row they have; an escape such as \n before a number is not a part of it.
func between(r rune) bool {
	return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F' || r == 'x' || r == 'X')
}

// is reports whether a word is a number that a document can have: its check digit fits, and somebody can have been born then.
func (s *search) is(word []byte) bool {
	if len(word) != 18 {
		return false
	}
	for _, d := range []wire.DocumentType{wire.DocumentResidentID, wire.DocumentResidence, wire.DocumentForeigner} {
		if _, err := idnumber.Check(d, string(word), s.today); err == nil {
			return true
		}
	}
	return false
}
