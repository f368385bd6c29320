package api

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Batches go from the front to the command as frames, not as JSON, which took longer than opening what is in them. A frame
// is a byte that says what it is, the length of the rest, and the rest. All numbers are varints without a sign.
const (
	frameBatch = 'b' // first, next, the lengths of body and seals, then these, then the key of the seals' context
	frameSame  = 's' // likewise, and the key is that of the frame before
	frameFail  = 'f' // what failed; nothing follows
	frameEnd   = 'e' // there are no more batches
)

// mostFrame is more than any batch has, in bytes.
const mostFrame = 16 << 20

// BatchWriter writes batches for Mandated.Batches to read. Its errors are those of the writer below. For one goroutine.
type BatchWriter struct {
	to    *bufio.Writer
	frame []byte
	last  []byte // key that was sent
}

// NewBatchWriter makes one. Nothing is there to read before End.
func NewBatchWriter(to io.Writer) *BatchWriter {
	return &BatchWriter{to: bufio.NewWriterSize(to, 32<<10)}
}

// Write sends a batch.
func (w *BatchWriter) Write(b SealedBatch) error {
	kind, key := byte(frameBatch), b.Encapsulated
	if len(key) > 0 && bytes.Equal(key, w.last) {
		kind, key = frameSame, nil // it is longer than the rest
	} else {
		w.last = key
	}
	w.frame = w.frame[:0]
	for _, n := range []uint64{b.First, b.Next, uint64(len(b.Body)), uint64(len(b.Sealed))} {
		w.frame = binary.AppendUvarint(w.frame, n)
	}
	return w.send(kind, append(append(append(w.frame, b.Body...), b.Sealed...), key...))
}

func (w *BatchWriter) send(kind byte, frame []byte) error {
	w.frame = frame
	_ = w.to.WriteByte(kind) // its error is that of the last write
	_, _ = w.to.Write(binary.AppendUvarint(w.to.AvailableBuffer(), uint64(len(frame))))
	_, err := w.to.Write(frame)
	return err
}

// End ends the batches: all were sent, or failed says why not.
func (w *BatchWriter) End(failed error) error {
	kind, text := byte(frameEnd), ""
	if failed != nil {
		kind, text = frameFail, failed.Error()
	}
	_ = w.send(kind, []byte(text))
	return w.to.Flush()
}

// readBatches calls each with the batches that a BatchWriter has written.
func readBatches(from io.Reader, each func(SealedBatch) error) error {
	in, last := bufio.NewReaderSize(from, 32<<10), []byte(nil)
	for {
		kind, frame, err := readFrame(in)
		if err != nil {
			return fmt.Errorf("read batches from the front: %w", err)
		}
		switch kind {
		case frameEnd:
			return nil
		case frameFail:
			return &Error{Message: string(frame), Status: http.StatusInternalServerError}
		}
		b, err := decodeBatch(frame)
		if err != nil {
			return fmt.Errorf("read batches from the front: %w", err)
		}
		if kind == frameSame {
			b.Encapsulated = last
		}
		last = b.Encapsulated
		if err := each(b); err != nil {
			return err
		}
	}
}

func readFrame(in *bufio.Reader) (kind byte, frame []byte, err error) {
	if kind, err = in.ReadByte(); err != nil {
		return 0, nil, cut(err)
	}
	if !bytes.ContainsRune([]byte{frameBatch, frameSame, frameFail, frameEnd}, rune(kind)) {
		return 0, nil, fmt.Errorf("a frame of kind %q: are front and command of one version?", kind)
	}
	n, err := binary.ReadUvarint(in)
	if err != nil {
		return 0, nil, cut(err)
	}
	if n > mostFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes", n)
	}
	frame = make([]byte, n)
	_, err = io.ReadFull(in, frame)
	return kind, frame, cut(err)
}

// cut is an end that is too early.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// decodeBatch reads a frame; the batch shares its bytes.
func decodeBatch(frame []byte) (b SealedBatch, err error) {
	var numbers [4]uint64
	for i := range numbers {
		n, size := binary.Uvarint(frame)
		if size <= 0 {
			return b, io.ErrUnexpectedEOF
		}
		numbers[i], frame = n, frame[size:]
	}
	b.First, b.Next = numbers[0], numbers[1]
	body, sealed, left := numbers[2], numbers[3], uint64(len(frame))
	if body > left || sealed > left-body {
		return b, io.ErrUnexpectedEOF
	}
	b.Body, b.Sealed, b.Encapsulated = frame[:body], frame[body:body+sealed], frame[body+sealed:]
	return b, nil
}
