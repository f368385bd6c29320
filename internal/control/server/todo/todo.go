// Package todo lists what somebody should do at a gateway: each problem in one sentence, with what
// to do, and with a code for programs that have words of their own.
//
// It refuses to act and to speak of people: it reads states, and names doors, devices and files.
package todo

import (
	"fmt"
	"strings"

	"gatehouse/internal/control"
)

// toDo is a list that is being put together.
type toDo []control.ToDo

// add adds a problem: its code, which docs/status.md has, its door ("": none), and the sentence.
// Programs with words of their own get the sentence's arguments.
func (l *toDo) add(code, door, format string, args ...any) {
	item := control.ToDo{Code: code, Door: door, Text: fmt.Sprintf(format, args...)}
	for _, a := range args {
		item.Args = append(item.Args, fmt.Sprint(a))
	}
	*l = append(*l, item)
}

// texts returns the sentences, for programs from before there were codes.
func (l toDo) texts() (all []string) {
	for _, item := range l {
		all = append(all, item.Text)
	}
	return all
}

// alone returns the code for a standalone house where there is another for one with a registry:
// other people can do something about it.
func alone(enrolled bool, code string) string {
	if enrolled {
		return code
	}
	return code + "_alone"
}

// InLearning is the hint of a reader in format learning.
const InLearning = "is in format learning: until that is over it opens nothing"

// Untapped is the hint of a reader that can't be listened to.
const Untapped = "speaks only when it is asked, and the old controller asks: it can't be listened to, and its cards are not learned"

// oneLine joins an error of several parts into one line.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

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
