package main

import (
	"strings"
	"testing"
)

// TestDecodeSerial: what goes in by standard input, and what is printed of it,
// shortened to bits, card and the fault's name.
func TestDecodeSerial(t *testing.T) {
	const rdm = "\x02012345678989\x03"
	for _, c := range []struct{ name, args, in, want string }{
		{"raw", "rdm6300", rdm, "40 4886718345"},
		{"raw, and a line's end", "rdm6300", rdm + "\n", "40 4886718345"},
		{"raw, twice", "RDM6300", rdm + rdm, "40 4886718345, 40 4886718345"},
		{"hex", "rdm6300", "02 30 31 32 33 34 35 36 37 38 39 38 39 03\n", "40 4886718345"},
		{"hex without spaces, CR LF", "rdm6300", "0230313233343536373839383903\r\n0230313233343536373839383903", "40 4886718345, 40 4886718345"},
		{"hex, wrong checksum", "rdm6300", "02 30 31 32 33 34 35 36 37 38 39 38 38 03\n", "wrong_checksum"},
		{"hex, half", "rdm6300", "02 30 31 32\n", "half_frame"},
		{"raw, wrong checksum", "rdm6300", "\x02012345678988\x03", "wrong_checksum"},
		{"raw, half", "rdm6300", rdm[:7], "half_frame"},
		{"ghost", "rdm6300", "\x02000000000000\x03" + rdm, "ghost_frame, 40 4886718345"},
		{"nothing like it", "rdm6300", "hello\n", "noise"},
		{"nothing", "rdm6300", "", ""},
		{"id12 raw: its own line end inside", "id12", "\x02012345678989\r\n\x03\n\x02012345678989\r\n\x03", "40 4886718345, 40 4886718345"},
		{"id12 hex", "id12", "023031323334353637383938390D0A03", "40 4886718345"},
		{"em18 raw", "em18", "307E4DE5C224\n", "40 208277464514"},
		{"em18 hex", "em18", "33 30 37 45 34 44 45 35 43 32 32 34\n", "40 208277464514"},
		{"em18 without line end", "em18", "307E4DE5C224", "40 208277464514"},
		{"7941d raw, which has 0A in it", "7941d", "\x02\x0A\x02\x2E\x00\xB6\xD7\xB5\xF2\x03\x02\x09\x01\x6B\x3D\x12\xD6\x9A\x03", "40 197580478389, 32 1799164630"},
		{"7941d hex", "7941d", "02 0A 02 2E 00 B6 D7 B5 F2 03", "40 197580478389"},
		{"7941w hex, card and none", "7941w", "cddc0081046b3d12d617\ncddc0080 0080", "32 1799164630, none"},
		{"sp-d300", "sp-d300", "\x021A2B", "16 6699"},
		{"line", "line", "0006171021\r\n", "32 6171021"},
		{"line without end", "line", "0006171021", "32 6171021"},
		{"lines", "line", "0006171021\n\n0006171022\r0006171023", "32 6171021, 32 6171022, 32 6171023"},
		{"line in hex", "line", "30303036313731303231 0d0a\n", "32 6171021"},
		{"line of another length", "line", "06171021\r\n", "wrong_length"},
		{"line of hex digits", "line --base hex", "0123456789\n", "40 4886718345"},
		{"byte order", "line --base hex --order lsb --digits 8", "D6123D6B\n", "32 1799164630"},
		{"64 bits are a string", "line --base hex --digits 16", "FFFFFFFFFFFFFFFF\n", `64 "18446744073709551615"`},
		{"80 bits too", "line --base hex --digits 20", "0102030405060708090A\n", `80 "4759477275222530853130"`},
		{"code", "code", "GHP1.abc\r\n", "code GHP1.abc"},
		{"code that looks like hex", "code", "47485031\n", "code 47485031"},
		{"code that is hex, forced", "code --input hex --end silence", "47485031\n", "code GHP1"},
		{"hex forced and none", "rdm6300 --input hex", "xyz\n", "noise"},
		{"empty lines", "rdm6300", "\n  \n" + rdm + "\n\r\n\t\n" + rdm, "40 4886718345, 40 4886718345"},
		{"an empty line is no code", "code", " \n\nGHP1.abc\n", "code GHP1.abc"},
		{"a mark of UTF-8 before all", "line", "\ufeff0006171021\r\n", "32 6171021"},
		{"and before hex", "rdm6300 --input hex", "\ufeff0230313233343536373839383903\n", "40 4886718345"},
		{"but a reader sends no mark", "line --input raw", "\ufeff0006171021\r\n0006171022\r\n", "noise, 32 6171022"},
		{"AIM", "code --aim", "]Q1GHP1.abc", "code GHP1.abc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errOut strings.Builder
			args := append([]string{"decode", "serial", "--layout"}, strings.Fields(c.args)...)
			if status := run(t.Context(), args, strings.NewReader(c.in), &out, &errOut); status != 0 {
				t.Fatalf("status %d: %s", status, errOut.String())
			}
			if got := shortened(t, out.String()); got != c.want {
				t.Errorf("got %s, want %s\n%s", got, c.want, out.String())
			}
		})
	}
}

// TestDecodeSerialOtherCase: a frame that is right but for the case of its digits
// is told so, and noise is not.
func TestDecodeSerialOtherCase(t *testing.T) {
	const lower, upper = `hex digits in lower case: base = \"hex_lower\"`, `hex digits in upper case: base = \"hex\"`
	for _, c := range []struct{ name, args, in, want string }{
		{"raw", "rdm6300", "\x020a0b0c0d0e0e\x03", lower},
		{"in hexadecimal", "rdm6300", "02 30 61 30 62 30 63 30 64 30 65 30 65 03\n", lower},
		{"ended by silence", "em18", "307e4de5c224\n", lower},
		{"upper where lower is set", "rdm6300 --base hex_lower", "\x020A0B0C0D0E0E\x03", upper},
		{"hex where decimal is set", "line", "00AB12CD34\n", upper},
		{"wrong check digits", "rdm6300", "\x020a0b0c0d0e0f\x03", "check ground"},
		{"both cases", "rdm6300", "\x020a0B0c0D0e0E\x03", "check ground"},
		{"no frame", "rdm6300", "abc\n", "check ground"},
		{"no text", "7941d", "abc\n", "check ground"},
	} {
		var out, errOut strings.Builder
		args := append([]string{"decode", "serial", "--layout"}, strings.Fields(c.args)...)
		if status := run(t.Context(), args, strings.NewReader(c.in), &out, &errOut); status != 0 {
			t.Fatalf("%s: status %d: %s", c.name, status, errOut.String())
		}
		if got := out.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, c.want) || !strings.Contains(got, `"error":"noise: `) {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}

// shortened reads objects, one a line, whose every key must be there.
func shortened(t *testing.T, out string) string {
	t.Helper()
	var got []string
	for line := range strings.Lines(out) {
		fields := map[string]string{}
		rest := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "{"), "}")
		for _, pair := range strings.Split(rest, `,"`) {
			key, value, _ := strings.Cut(strings.TrimPrefix(pair, `"`), `":`)
			fields[key] = value
		}
		for _, key := range []string{"layout", "bits", "card", "hex", "valid", "error"} {
			if fields[key] == "" {
				t.Errorf("no %s in %s", key, line)
			}
		}
		fault, _, _ := strings.Cut(strings.Trim(fields["error"], `"`), ":")
		switch {
		case fault != "null":
			got = append(got, fault)
		case fields["text"] != "":
			got = append(got, "code "+strings.Trim(fields["text"], `"`))
		case fields["card"] == "null":
			got = append(got, "none")
		default:
			got = append(got, fields["bits"]+" "+fields["card"])
		}
		if valid := fields["valid"] == "true"; valid != (fault == "null") {
			t.Errorf("valid and error disagree: %s", line)
		}
	}
	return strings.Join(got, ", ")
}

func TestDecodeSerialRefuses(t *testing.T) {
	for _, args := range []string{"nonsense", "rdm6300 --end sometimes", "line --digits 8,10", "rdm6300 --input octal"} {
		var out, errOut strings.Builder
		all := append([]string{"decode", "serial", "--layout"}, strings.Fields(args)...)
		if status := run(t.Context(), all, strings.NewReader(""), &out, &errOut); status == 0 || errOut.Len() == 0 {
			t.Errorf("%s: status %d, %q", args, status, errOut.String())
		}
	}
}
