// Package todo says what somebody should do something about at a gateway: each in one
// sentence, with what to do, and under a code by which others have words of their own.
//
// It refuses to act and to tell of people: it reads states, and names doors, devices and
// files.
package todo

import (
	"fmt"
	"strings"

	"gatehouse/internal/control"
)

// toDo is what somebody should do something about, as it is put together.
type toDo []control.ToDo

// add puts something on the list: its code, which docs/status.md has, the door that it is
// about ("": none), and the sentence. Whoever says it in other words gets the sentence's
// arguments.
func (l *toDo) add(code, door, format string, args ...any) {
	item := control.ToDo{Code: code, Door: door, Text: fmt.Sprintf(format, args...)}
	for _, a := range args {
		item.Args = append(item.Args, fmt.Sprint(a))
	}
	*l = append(*l, item)
}

// texts are the sentences, for programs from before there were codes.
func (l toDo) texts() (all []string) {
	for _, item := range l {
		all = append(all, item.Text)
	}
	return all
}

// alone is the code for a house of its own where there is another for one with a
// registry: other people do something about it.
func alone(enrolled bool, code string) string {
	if enrolled {
		return code
	}
	return code + "_alone"
}

// BeingTaught is the hint of a reader that is away from its door for format learning.
const BeingTaught = "is being taught: until format learning is over it opens nothing"

// Untapped is the hint of a reader that can't be listened to.
const Untapped = "speaks only when it is asked, and the old controller asks: it can't be listened to, and its cards are not learned"

// oneLine is an error of several parts as a line of its own shows it.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// choose is a where yes, else b.
func choose[T any](yes bool, a, b T) T {
	if yes {
		return a
	}
	return b
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
