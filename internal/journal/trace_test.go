package journal

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gatehouse/sync/wire"
)

// op is one system call of a recorded run. It began at line start of the
// record and was over at line end.
type op struct {
	start, end int
	call       string
	inode      int    // write, truncate, sync, create
	offset     int64  // write; the new size of truncate
	data       []byte // write
	name, to   string // create, rename, unlink: within the directory
	ack        wire.Ref
}

// recording is all that a writer did to its directory, and what it acknowledged.
type recording struct {
	lines  int
	inodes int
	data   []op // write, truncate, sync of files
	names  []op // create, rename, unlink
	dirs   []op // sync of the directory
	acks   []op
}

var (
	traceLine = regexp.MustCompile(`^(\d+) +(\w+)\((.*)\) += (-?\d+)`)
	traceText = regexp.MustCompile(`"((?:\\x[0-9a-f]{2})*)"`)
)

// parser turns the text of strace -f -xx into a recording.
type parser struct {
	rec     recording
	dir     string
	pending map[string]string // unfinished calls by thread
	begun   map[string]int
	fds     map[int]int // descriptor -> inode; -1 is the directory
	live    map[string]int
}

func parseTrace(t *testing.T, path, dir string) recording {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := parser{dir: dir, pending: map[string]string{}, begun: map[string]int{}, fds: map[int]int{}, live: map[string]int{}}
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, 1<<24)
	for scan.Scan() {
		if err := p.line(scan.Text()); err != nil {
			t.Fatalf("record line %d: %v", p.rec.lines, err)
		}
		p.rec.lines++
	}
	if err := scan.Err(); err != nil {
		t.Fatal(err)
	}
	return p.rec
}

// line joins calls that another thread interrupted and hands on whole ones.
func (p *parser) line(s string) error {
	thread, rest, _ := strings.Cut(s, " ")
	rest = strings.TrimLeft(rest, " ")
	if head, ok := strings.CutSuffix(rest, " <unfinished ...>"); ok {
		p.pending[thread], p.begun[thread] = head, p.rec.lines
		// A descriptor is free as soon as close begins: another thread may have it
		// for another file before the call is over.
		if fd, err := strconv.Atoi(strings.TrimPrefix(head, "close(")); err == nil && strings.HasPrefix(head, "close(") {
			delete(p.fds, fd)
			p.pending[thread] = ""
		}
		return nil
	}
	start := p.rec.lines
	if strings.HasPrefix(rest, "<... ") {
		_, tail, _ := strings.Cut(rest, "resumed>")
		if p.pending[thread] == "" {
			return nil
		}
		rest, start = p.pending[thread]+tail, p.begun[thread]
	}
	m := traceLine.FindStringSubmatch(thread + " " + rest)
	if m == nil {
		return nil // signals, exits
	}
	ret, err := strconv.Atoi(m[4])
	if err != nil || ret < 0 {
		return err // a call that failed changed nothing
	}
	return p.call(op{start: start, end: p.rec.lines, call: m[2]}, m[3], ret)
}

func (p *parser) call(o op, args string, ret int) error {
	var texts []string
	for _, m := range traceText.FindAllStringSubmatch(args, -1) {
		b, err := hex.DecodeString(strings.ReplaceAll(m[1], `\x`, ""))
		if err != nil {
			return err
		}
		texts = append(texts, string(b))
	}
	fd, _ := strconv.Atoi(strings.TrimSpace(strings.SplitN(args, ",", 2)[0]))
	switch o.call {
	case "openat":
		p.open(o, texts[0], strings.Contains(args, "O_CREAT"), strings.Contains(args, "O_TRUNC"), ret)
	case "close":
		delete(p.fds, fd)
	case "write", "pwrite64":
		return p.write(o, fd, texts, args, ret)
	case "ftruncate":
		if inode, ok := p.fds[fd]; ok {
			size, err := strconv.ParseInt(strings.TrimSpace(args[strings.LastIndex(args, ",")+1:]), 10, 64)
			o.inode, o.offset = inode, size
			p.rec.data = append(p.rec.data, o)
			return err
		}
	case "fsync", "fdatasync":
		if inode, ok := p.fds[fd]; ok && inode < 0 {
			p.rec.dirs = append(p.rec.dirs, o)
		} else if ok {
			o.inode = inode
			p.rec.data = append(p.rec.data, o)
		}
	case "renameat", "unlinkat":
		p.name(o, texts)
	}
	return nil
}

func (p *parser) open(o op, path string, create, truncate bool, fd int) {
	delete(p.fds, fd)
	if path == p.dir {
		p.fds[fd] = -1
		return
	}
	if filepath.Dir(path) != p.dir {
		return
	}
	name := filepath.Base(path)
	inode, ok := p.live[name]
	if !ok && !create {
		return
	}
	if !ok {
		inode = p.rec.inodes
		p.rec.inodes++
		p.live[name] = inode
		o.call, o.inode, o.name = "create", inode, name
		p.rec.names = append(p.rec.names, o)
	} else if truncate {
		o.call, o.inode, o.offset = "ftruncate", inode, 0
		p.rec.data = append(p.rec.data, o)
	}
	p.fds[fd] = inode
}

func (p *parser) write(o op, fd int, texts []string, args string, ret int) error {
	if fd == 1 {
		o.end = o.start
		if _, err := fmt.Sscanf(texts[0], "%d %d\n", &o.ack.Boot, &o.ack.Counter); err == nil {
			p.rec.acks = append(p.rec.acks, o)
		}
		return nil
	}
	inode, ok := p.fds[fd]
	if !ok {
		return nil
	}
	if len(texts) != 1 || len(texts[0]) != ret {
		return fmt.Errorf("%s of %d bytes was recorded in part", o.call, ret)
	}
	o.inode, o.data = inode, []byte(texts[0])
	if o.call == "pwrite64" {
		at, err := strconv.ParseInt(strings.TrimSpace(args[strings.LastIndex(args, ",")+1:]), 10, 64)
		if err != nil {
			return err
		}
		o.offset = at
	} else { // the journal writes such files once, from the start on
		for _, w := range p.rec.data {
			if w.inode == inode && w.call == "write" {
				o.offset = w.offset + int64(len(w.data))
			} else if w.inode == inode && w.call == "ftruncate" {
				o.offset = 0
			}
		}
	}
	o.call = "write"
	p.rec.data = append(p.rec.data, o)
	return nil
}

func (p *parser) name(o op, texts []string) {
	if filepath.Dir(texts[0]) != p.dir {
		return
	}
	o.name = filepath.Base(texts[0])
	inode, ok := p.live[o.name]
	if !ok {
		return
	}
	delete(p.live, o.name)
	if o.inode = inode; o.call == "renameat" {
		o.to = filepath.Base(texts[1])
		p.live[o.to] = inode
	}
	p.rec.names = append(p.rec.names, o)
}

// image makes a directory as a power cut at a line of the record may leave it:
// what a sync covered is there; of the rest any 512-byte sectors are, or are
// not; names change in the order of the calls, up to some point at or after
// the last sync of the directory.
func (r *recording) image(at int, rng *rand.Rand) map[string][]byte {
	chance := []float64{0, 0.1, 0.5, 0.9, 1}[rng.IntN(5)]
	content := make([][]byte, r.inodes)
	synced := make([]int, r.inodes) // everything that was over before this line is on the disk
	for _, o := range r.data {
		if strings.HasSuffix(o.call, "sync") && o.end <= at {
			synced[o.inode] = max(synced[o.inode], o.start)
		}
	}
	for _, o := range r.data {
		if o.start > at || strings.HasSuffix(o.call, "sync") {
			continue
		}
		sure := o.end < synced[o.inode]
		c := &content[o.inode]
		if o.call == "ftruncate" {
			if sure || rng.Float64() < chance {
				*c = resize(*c, int(o.offset))
			}
			continue
		}
		for from, to := 0, 0; from < len(o.data); from = to {
			to = min(from+512-(int(o.offset)+from)%512, len(o.data)) // sectors are the disk's
			if !sure && rng.Float64() >= chance {
				continue
			}
			if end := int(o.offset) + to; len(*c) < end {
				*c = resize(*c, end)
			}
			copy((*c)[int(o.offset)+from:], o.data[from:to])
		}
	}
	files := map[string][]byte{}
	for name, inode := range r.namesAt(at, rng) {
		files[name] = content[inode]
	}
	return files
}

func (r *recording) namesAt(at int, rng *rand.Rand) map[string]int {
	synced := 0
	for _, o := range r.dirs {
		if o.end <= at {
			synced = max(synced, o.start)
		}
	}
	sure, begun := 0, 0
	for i, o := range r.names {
		if o.end < synced {
			sure = i + 1
		}
		if o.start <= at {
			begun = i + 1
		}
	}
	names := map[string]int{}
	for _, o := range r.names[:sure+rng.IntN(begun-sure+1)] {
		switch o.call {
		case "create":
			names[o.name] = o.inode
		case "renameat":
			delete(names, o.name)
			names[o.to] = o.inode
		case "unlinkat":
			delete(names, o.name)
		}
	}
	return names
}

func resize(b []byte, n int) []byte {
	if n <= len(b) {
		return b[:n:n]
	}
	return append(b, make([]byte, n-len(b))...)
}
