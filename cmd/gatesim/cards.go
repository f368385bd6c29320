package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"gatehouse/cmd/gatesim/internal/house"
	"gatehouse/internal/input"
)

// firstNew is the first stranger whose card whoever watches has held up: those before are the day's.
const firstNew = 100

// cardsOf has cards held up as lines ask for it, until ctx or the lines end: an empty line is a new card, a
// number that card again. It is how whoever tries the page checks somebody in without a reader.
func cardsOf(ctx context.Context, lines io.Reader) <-chan *house.Person {
	signal.Ignore(syscall.SIGTTIN) // in the background of a shell there are no lines, and the page goes on
	held := make(chan *house.Person)
	go func() {
		var cards []*house.Person
		for scan := bufio.NewScanner(input.Reader{Ctx: ctx, From: lines}); scan.Scan(); {
			n, err := strconv.Atoi(strings.TrimSpace(scan.Text()))
			if err != nil || n < 1 || n > len(cards) {
				n = len(cards) + 1
				who := house.Stranger(firstNew + n)
				who.Name = fmt.Sprintf("card %d", n)
				cards = append(cards, who)
			}
			select {
			case held <- cards[n-1]:
			case <-ctx.Done():
				return
			}
		}
	}()
	return held
}
