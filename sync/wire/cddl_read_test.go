package wire

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// A reader of the part of CDDL (RFC 8610) that gatehouse.cddl is written in:
// maps with integer keys, arrays, choices, ranges, literals, one tag, and the
// controls .size, .regexp and .cbor. It is here so that the document and the
// code can't say different things.

// schema has a matcher for each rule: nil, or why the item does not fit.
type schema map[string]matcher

type matcher func(item any) error

type cddl struct {
	tokens []string
	rules  schema
}

var cddlToken = regexp.MustCompile(`;[^\n]*|"[^"]*"|=>|\.\.|\.[a-z]+|#6\.18|-?[0-9]+\*?[0-9]*|[a-zA-Z][a-zA-Z0-9-]*:?|[=/*?\[\]{}(),]`)

func readCDDL(t testing.TB) schema {
	t.Helper()
	text, err := os.ReadFile("gatehouse.cddl")
	must(t, text, err)
	c := cddl{rules: schema{}}
	left := cddlToken.ReplaceAllStringFunc(string(text), func(s string) string {
		if s[0] != ';' {
			c.tokens = append(c.tokens, s)
		}
		return ""
	})
	if strings.TrimSpace(left) != "" {
		t.Fatalf("CDDL that the test does not read: %q", strings.TrimSpace(left))
	}
	c.prelude()
	for len(c.tokens) > 0 {
		name := c.next()
		c.expect("=")
		if c.rules[name] != nil {
			t.Fatalf("rule %s stands twice", name)
		}
		c.rules[name] = c.choice()
	}
	return c.rules
}

func (c *cddl) prelude() {
	is := func(what string, ok func(any) bool) {
		c.rules[what] = func(v any) error {
			if !ok(v) {
				return fmt.Errorf("%T is no %s", v, what)
			}
			return nil
		}
	}
	is("uint", func(v any) bool { _, ok := v.(uint64); return ok })
	is("int", func(v any) bool { _, u := v.(uint64); _, n := v.(int64); return u || n })
	is("bytes", func(v any) bool { _, ok := v.([]byte); return ok })
	is("text", func(v any) bool { _, ok := v.(string); return ok })
	is("bool", func(v any) bool { _, ok := v.(bool); return ok })
	is("true", func(v any) bool { return v == true })
}

func (c *cddl) peek() string {
	if len(c.tokens) == 0 {
		return ""
	}
	return c.tokens[0]
}

func (c *cddl) next() string {
	s := c.peek()
	if s == "" {
		panic("CDDL ends within a rule")
	}
	c.tokens = c.tokens[1:]
	return s
}

func (c *cddl) expect(s string) {
	if got := c.next(); got != s {
		panic(fmt.Sprintf("CDDL: %q where %q is expected, before %q", got, s, c.tokens[:min(5, len(c.tokens))]))
	}
}

func (c *cddl) take(s string) bool {
	if c.peek() != s {
		return false
	}
	c.next()
	return true
}

func (c *cddl) choice() matcher {
	all := []matcher{c.controlled()}
	for c.take("/") {
		all = append(all, c.controlled())
	}
	return func(v any) (err error) {
		for _, m := range all {
			if err = m(v); err == nil {
				return nil
			}
		}
		return err
	}
}

func (c *cddl) controlled() matcher {
	m := c.primary()
	for {
		switch c.peek() {
		case ".size":
			m = both(m, c.size())
		case ".regexp":
			c.next()
			m = both(m, matchText(regexp.MustCompile("^(?:"+strings.Trim(c.next(), `"`)+")$")))
		case ".cbor":
			c.next()
			inner := c.primary()
			m = both(m, func(v any) error { return fits(inner, v.([]byte)) })
		default:
			return m
		}
	}
}

func both(a, b matcher) matcher {
	return func(v any) error {
		if err := a(v); err != nil {
			return err
		}
		return b(v)
	}
}

func matchText(re *regexp.Regexp) matcher {
	return func(v any) error {
		if !re.MatchString(v.(string)) {
			return fmt.Errorf("%q does not match %s", v, re)
		}
		return nil
	}
}

// size bounds the length of a string, or the bytes of an integer.
func (c *cddl) size() matcher {
	c.next()
	low := uint64(0)
	var high uint64
	if c.take("(") {
		low = c.number(c.next())
		c.expect("..")
		high = c.number(c.next())
		c.expect(")")
	} else {
		high = c.number(c.next())
		low = high
	}
	return func(v any) error {
		n := uint64(0)
		switch v := v.(type) {
		case []byte:
			n = uint64(len(v))
		case string:
			n = uint64(len(v))
		case uint64:
			if high < 8 && v>>(8*high) != 0 {
				return fmt.Errorf("%d takes more than %d bytes", v, high)
			}
			return nil
		}
		if n < low || n > high {
			return fmt.Errorf("%d bytes, not %d to %d", n, low, high)
		}
		return nil
	}
}

func (c *cddl) number(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func (c *cddl) primary() matcher {
	switch s := c.next(); {
	case s == "{":
		return c.mapping()
	case s == "[":
		return c.array()
	case s == "#6.18":
		c.expect("(")
		inner := c.choice()
		c.expect(")")
		return func(v any) error {
			tag, ok := v.(cbor.Tag)
			if !ok || tag.Number != 18 {
				return fmt.Errorf("%T is no tag 18", v)
			}
			return inner(tag.Content)
		}
	case s[0] == '"':
		return equal(strings.Trim(s, `"`))
	case s[0] == '-':
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			panic(err)
		}
		return equal(n)
	case s[0] >= '0' && s[0] <= '9':
		low := c.number(s)
		if !c.take("..") {
			return equal(low)
		}
		high := c.number(c.next())
		return func(v any) error {
			if n, ok := v.(uint64); !ok || n < low || n > high {
				return fmt.Errorf("%v is not from %d to %d", v, low, high)
			}
			return nil
		}
	default: // a rule, which may come later
		return func(v any) error {
			m := c.rules[s]
			if m == nil {
				return fmt.Errorf("no rule %s", s)
			}
			if err := m(v); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
			return nil
		}
	}
}

func equal(want any) matcher {
	return func(v any) error {
		if v != want {
			return fmt.Errorf("%v is not %v", v, want)
		}
		return nil
	}
}

// field is an entry of a map, or an element of an array that may repeat.
type field struct {
	key       any
	low, high int
	value     matcher
}

func (c *cddl) mapping() matcher {
	var fields []field
	for !c.take("}") {
		f := field{low: 1}
		if c.take("?") {
			f.low = 0
		}
		key := c.next()
		if n, err := strconv.ParseInt(key, 10, 64); err == nil && n < 0 {
			f.key = n
		} else if c.take("=>") {
			f.key = c.number(key)
			c.tokens = append([]string{"=>"}, c.tokens...)
		} else {
			f.key = strings.TrimSuffix(key, ":")
			c.tokens = append([]string{"=>"}, c.tokens...)
		}
		c.expect("=>")
		f.value = c.choice()
		c.take(",")
		fields = append(fields, f)
	}
	return func(v any) error {
		m, ok := v.(map[any]any)
		if !ok {
			return fmt.Errorf("%T is no map", v)
		}
		known := 0
		for _, f := range fields {
			item, there := m[f.key]
			if !there && f.low > 0 {
				return fmt.Errorf("no %v", f.key)
			}
			if there {
				known++
				if err := f.value(item); err != nil {
					return fmt.Errorf("%v: %w", f.key, err)
				}
			}
		}
		if known != len(m) {
			return fmt.Errorf("%d fields of %d are known", known, len(m))
		}
		return nil
	}
}

func (c *cddl) array() matcher {
	var fields []field
	for !c.take("]") {
		f := field{low: 1, high: 1}
		if low, high, repeats := strings.Cut(c.peek(), "*"); repeats {
			c.next()
			f.low, f.high = 0, 1<<20
			if low != "" {
				f.low = int(c.number(low))
			}
			if high != "" {
				f.high = int(c.number(high))
			}
		}
		if strings.HasSuffix(c.peek(), ":") {
			c.next()
		}
		f.value = c.choice()
		c.take(",")
		fields = append(fields, f)
	}
	return func(v any) error {
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%T is no array", v)
		}
		i := 0
		for _, f := range fields {
			n := 0
			for ; i < len(list) && n < f.high; i, n = i+1, n+1 {
				if err := f.value(list[i]); err != nil {
					if n >= f.low && f.low != f.high {
						break
					}
					return fmt.Errorf("element %d: %w", i, err)
				}
			}
			if n < f.low {
				return fmt.Errorf("%d elements, at least %d", n, f.low)
			}
		}
		if i != len(list) {
			return fmt.Errorf("%d elements of %d are known", i, len(list))
		}
		return nil
	}
}
