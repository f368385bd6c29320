package idcard

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"gatehouse/device/idcard/idcardtest"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// encode is the law's other half: a reply as a module would send it.
func encode(r Reply) []byte {
	n := len(r.Data) + 4
	out := append([]byte{0xAA, 0xAA, 0xAA, 0x96, 0x69, byte(n >> 8), byte(n), 0, 0, byte(r.Status)}, r.Data...)
	sum := byte(0)
	for _, b := range out[5:] {
		sum ^= b
	}
	return append(out, sum)
}

// invented are made-up people of all kinds, with numbers of an area that was
// never given out.
var invented = []idcardtest.Card{
	{Kind: idcardtest.Citizen, Name: "测试甲", Number: "440000199003071236", From: "20200101", Until: "20400101"},
	{Name: "测试·乙 丙", Number: "44000019900307001X", From: "20040101", Until: "长期"},
	{Kind: idcardtest.Residence, Name: "测试丁", Number: "810000190003070018", From: "20200101", Until: "20250101"},
	{Kind: idcardtest.OldForeigner, Name: "测试戊", English: "TESTPERSON, EINS ZWEI", Number: "ZZZ440090030701", From: "20150101", Until: "20250101"},
	{Kind: idcardtest.Foreigner, Name: "测试己", English: "TESTPERSON, WITH A NAME OF FORTY FIVE LETTER", Number: "944000199003070010", From: "20240101", Until: "20340101", Fingers: 1024},
}

// readReply is what a module answers to a read of a card.
func readReply(c idcardtest.Card) []byte {
	data := append([]byte{1, 0, 4, 0}, c.Text()...)
	return encode(Reply{StatusOK, append(data, bytes.Repeat([]byte{0xAA, 0xAA, 0xAA, 0x96, 0x69, 0, 4, 0}, 128)...)})
}

// TestPublishedFrames: the frames that the protocol's description prints.
func TestPublishedFrames(t *testing.T) {
	for c, want := range map[Command]string{
		Reset: "00 03 10 FF EC", State: "00 03 11 FF ED", SAMID: "00 03 12 FF EE", Find: "00 03 20 01 22", Select: "00 03 20 02 21",
		ReadText: "00 03 30 01 32", ReadMore: "00 03 30 03 30", ReadFinger: "00 03 30 10 23",
	} {
		if got := c.AppendTo(nil); !bytes.Equal(got, unhex(t, "AA AA AA 96 69"+want)) {
			t.Errorf("%04X: %X", uint16(c), got)
		}
	}
	for text, want := range map[string]Reply{
		"00 08 00 00 9F 00 00 00 00 97":             {StatusFound, make([]byte, 4)},
		"00 04 00 00 80 84":                         {statusNoCard, nil},
		"00 0C 00 00 90 00 00 00 00 00 00 00 00 9C": {StatusOK, make([]byte, 8)},
		"00 04 00 00 81 85":                         {statusNotTaken, nil},
	} {
		r, err := ParseReply(unhex(t, "AA AA AA 96 69"+text))
		if err != nil || r.Status != want.Status || !bytes.Equal(r.Data, want.Data) {
			t.Errorf("%s: %v %X %v", text, r.Status, r.Data, err)
		}
	}
	if n := len(readReply(invented[0])); n != 1295 {
		t.Errorf("a read has %d bytes", n)
	}
}

// TestNoDamagedReply: no beginning, no end, no flipped bit, no byte more or less
// of a reply is one.
func TestNoDamagedReply(t *testing.T) {
	for _, whole := range [][]byte{readReply(invented[0]), encode(Reply{StatusFound, make([]byte, 4)}), encode(Reply{Status: statusNoCard})} {
		damaged := func(what string, in []byte) {
			t.Helper()
			if _, err := ParseReply(in); !errors.Is(err, errDamaged) {
				t.Fatalf("%s of %d bytes: %v", what, len(whole), err)
			}
		}
		for i := range whole {
			damaged("a beginning", whole[:i])
			damaged("an end", whole[i+1:])
			damaged("one byte more", append(bytes.Clone(whole), byte(i)))
			for bit := range 8 {
				flipped := bytes.Clone(whole)
				flipped[i] ^= 1 << bit
				damaged("a flipped bit", flipped)
			}
		}
	}
	for _, length := range []int{0, 3, maxLength + 1, 0xFFFF} {
		frame := encode(Reply{StatusOK, make([]byte, 8)})
		frame[5], frame[6] = byte(length>>8), byte(length)
		if _, err := ParseReply(frame); !errors.Is(err, errDamaged) {
			t.Errorf("length %d: %v", length, err)
		}
	}
}

// TestWrongSamples: frames that makers printed or shipped with a wrong checksum
// are refused.
func TestWrongSamples(t *testing.T) {
	if got := Find.AppendTo(nil); got[len(got)-1] == 0x21 {
		t.Error("find with the checksum of a wrong sample")
	}
	if _, err := ParseReply(unhex(t, "AA AA AA 96 69 00 08 00 00 9F 00 00 00 00 9F")); err == nil {
		t.Error("a reply whose checksum leaves the length out")
	}
}

// feed pushes in pieces until something is decided.
func feed(f *framer, in []byte, cut func(int) int) (at int, whole bool, err error) {
	for at < len(in) {
		n := max(1, min(cut(len(in)-at), len(in)-at))
		whole, err = f.push(in[at : at+n])
		at += n
		if whole || err != nil {
			break
		}
	}
	return at, whole, err
}

// TestFramerFinds: a frame is found behind any noise that has no whole preamble,
// whatever its pieces are, and preambles inside it are data.
func TestFramerFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		noise := rapid.SliceOfN(rapid.SampledFrom([]byte{0xAA, 0xAA, 0xAA, 0x96, 0x69, 0}), 0, 20).Draw(t, "noise")
		card := rapid.SampledFrom(invented).Draw(t, "card")
		frame := readReply(card)
		in := append(noise, frame...)
		if bytes.Index(in, []byte(preamble)) < len(noise) {
			t.Skip("a preamble in the noise")
		}
		f := &framer{}
		_, whole, err := feed(f, in, func(left int) int { return rapid.IntRange(1, left).Draw(t, "piece") })
		if !whole || err != nil || !bytes.Equal(f.frame(), frame) {
			t.Fatalf("%v %v, %d bytes", whole, err, f.n)
		}
	})
}

// TestLengthsThatLie: a length that no reply has is known at its last byte,
// before anything is waited for.
func TestLengthsThatLie(t *testing.T) {
	for length, good := range map[int]bool{0: false, 3: false, 4: true, maxLength: true, maxLength + 1: false, 0x8004: false, 0xFFFF: false} {
		f := &framer{}
		whole, err := f.push(append([]byte(preamble), byte(length>>8), byte(length)))
		if whole || (err == nil) != good {
			t.Errorf("%d: %v %v", length, whole, err)
		}
	}
}

// TestOtherQuestions: a good frame is no answer to a question that has another
// form of answer.
func TestOtherQuestions(t *testing.T) {
	replies := map[Command]Reply{State: {StatusOK, nil}, SAMID: {StatusOK, make([]byte, 16)}, Find: {StatusFound, make([]byte, 4)}, Select: {StatusOK, make([]byte, 8)}}
	for asked, a := range answers {
		if asked == Reset || asked == ReadText { // as State; Record judges it
			continue
		}
		for of, r := range replies {
			if _, err := a.take(encode(r)); (err == nil) != (of == asked) || err != nil && !errors.Is(err, errDamaged) {
				t.Errorf("to %04X the answer to %04X: %v", uint16(asked), uint16(of), err)
			}
		}
		if _, err := a.take(readReply(invented[0])); !errors.Is(err, errDamaged) {
			t.Errorf("to %04X a card: %v", uint16(asked), err)
		}
	}
	for _, r := range replies {
		got, err := answers[ReadText].take(encode(r))
		if err == nil {
			_, err = got.Record()
		}
		if !errors.Is(err, errDamaged) {
			t.Errorf("to a read %v: %v", r.Status, err)
		}
	}
}

// FuzzFramer: pieces do not matter, and a whole frame is as long as it says.
func FuzzFramer(f *testing.F) {
	f.Add([]byte{0xAA}, byte(1))
	f.Add(append([]byte{0xAA, 0xAA}, readReply(invented[1])...), byte(7))
	f.Add(unhex(f, "AA AA AA 96 69 FF FF 00"), byte(2))
	f.Fuzz(func(t *testing.T, in []byte, size byte) {
		one, other := &framer{}, &framer{}
		_, whole, err := feed(one, in, func(int) int { return 1 })
		_, whole2, err2 := feed(other, in, func(int) int { return int(size) })
		if whole != whole2 || fmt.Sprint(err) != fmt.Sprint(err2) || !bytes.Equal(one.frame(), other.frame()) {
			t.Fatalf("pieces matter: %v %v, %v %v", whole, err, whole2, err2)
		}
		if whole && (len(one.frame()) < head+minLength || len(one.frame()) > head+maxLength || !bytes.Contains(in, one.frame())) {
			t.Fatalf("a frame of %d bytes", len(one.frame()))
		}
	})
}

// FuzzParseReply: what is taken encodes to the same bytes; no beginning of it is
// taken.
func FuzzParseReply(f *testing.F) {
	for _, c := range invented {
		f.Add(readReply(c))
	}
	f.Add(unhex(f, "AA AA AA 96 69 00 04 00 00 80 84"))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := ParseReply(in)
		if err != nil {
			return
		}
		if !bytes.Equal(encode(r), in) {
			t.Fatalf("%X encodes to %X", in, encode(r))
		}
		for i := range in {
			if _, err := ParseReply(in[:i]); err == nil {
				t.Fatalf("%d of %d bytes are taken", i, len(in))
			}
		}
		if _, err := r.Record(); err != nil && strings.ContainsAny(err.Error(), "0123456789") && !errors.Is(err, errDamaged) && !errors.As(err, new(Status)) {
			t.Fatalf("an error with digits: %v", err)
		}
	})
}
