package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"gatehouse/cmd/gatesim/internal/process"
	"gatehouse/device/idcard/idcardtest"
)

type idCardCmd struct {
	Port  string        `arg:"" help:"The port to be made: a link to a pseudo-terminal." placeholder:"PATH"`
	Card  string        `help:"Whose card: citizen, expired, child, residence, foreigner, old-foreigner." enum:"citizen,expired,child,residence,foreigner,old-foreigner" default:"citizen"`
	Rough bool          `help:"Replies come in pieces, late, behind noise, and some with a wrong checksum."`
	Every time.Duration `help:"How often the card is taken off and laid on again." default:"10s"`
}

// idCards are of people who do not exist: in an area or from a country whose code
// was never given out, or, where all have one area, born too long ago.
var idCards = map[string]idcardtest.Card{
	"citizen":       {Kind: idcardtest.Citizen, Name: "测试甲", Number: "440000199003071238", From: "20200101", Until: "长期"},
	"expired":       {Kind: idcardtest.Citizen, Name: "测试乙", Number: "440000199003070024", From: "20100101", Until: "20200101"},
	"child":         {Kind: idcardtest.Citizen, Name: "测试丙", Number: "440000202003070053", From: "20250101", Until: "20300101"},
	"residence":     {Kind: idcardtest.Residence, Name: "测试丁", Number: "810000190003070014", From: "20250101", Until: "20300101"},
	"foreigner":     {Kind: idcardtest.Foreigner, Name: "测试戊", English: "TESTPERSON, FIVE", Number: "944000199003070018", From: "20250101", Until: "20350101"},
	"old-foreigner": {Kind: idcardtest.OldForeigner, Name: "测试己", English: "TESTPERSON, SIX", Number: "ZZZ440090030701", From: "20200101", Until: "20300101"},
}

// Run plays an identity-card module until it is interrupted.
func (c idCardCmd) Run(ctx context.Context, s process.Streams) (err error) {
	module, err := idcardtest.NewTerminal(c.Port, uint64(os.Getpid()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, module.Close()) }()
	if c.Rough {
		module.Misbehave(idcardtest.Faults{Split: true, Noise: 12, Delay: 100 * time.Millisecond, WrongCheck: 4})
	}
	var hearing sync.WaitGroup
	hearing.Go(func() { _ = module.Run(ctx) }) // always the error of ctx
	defer hearing.Wait()
	fmt.Fprintf(s.Out, "an identity-card module with a made-up card is at %s\n", c.Port)
	for lay := time.NewTicker(max(c.Every, time.Second)); ; {
		module.Place(idCards[c.Card])
		select {
		case <-ctx.Done():
			lay.Stop()
			return nil
		case <-lay.C:
		}
	}
}
