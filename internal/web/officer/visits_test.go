package officer

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gatehouse/internal/control"
)

// answered is an answer of one file.
func answered(bytes int) func(context.Context) (outcome, error) {
	return func(context.Context) (outcome, error) {
		return outcome{Inquiry: control.Inquiry{Use: 1, Files: []control.SealedFile{{Sealed: make([]byte, bytes)}}}}, nil
	}
}

// refused is a refusal, as anybody gets it.
func refused(context.Context) (outcome, error) {
	return outcome{Inquiry: control.Inquiry{Refusal: &control.MandateRefusal{Code: "unsigned"}}}, nil
}

// show has a mandate answered, and returns the id of the visit. Some time passes.
func show(t *testing.T, s *visits, ask func(context.Context) (outcome, error)) string {
	t.Helper()
	id, x, err := s.begin(ask)
	if err != nil {
		t.Fatal(err)
	}
	<-x.done
	time.Sleep(time.Millisecond)
	return id
}

// TestVisitsAreBounded: what is kept is within a number, a size and ten minutes, and strangers, who get nothing but
// refusals, push no answer out.
func TestVisitsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newVisits()
		defer s.close()
		answer := show(t, s, answered(1<<20))
		first := show(t, s, refused)
		var last string
		for range 10 * mostKept {
			last = show(t, s, refused)
		}
		if s.of(answer) == nil || s.of(first) != nil || s.of(last) == nil || len(s.all) != mostKept {
			t.Errorf("answer kept %v, oldest refusal kept %v, newest kept %v, %d in all", s.of(answer) != nil, s.of(first) != nil, s.of(last) != nil, len(s.all))
		}
		large := show(t, s, answered(mostBytes))
		if s.of(answer) != nil || s.of(large) == nil {
			t.Error("more is kept than may be, or the newest answer is dropped")
		}
		time.Sleep(keepFor)
		synctest.Wait()
		if len(s.all) != 0 {
			t.Errorf("%d are kept for more than ten minutes", len(s.all))
		}
	})
}

// TestVisitsTakeTurns: one answer is read at a time, a few wait, more are told so; and what waits ends with the page.
func TestVisitsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newVisits()
		asked := 0
		waits := func(ctx context.Context) (outcome, error) {
			asked++
			<-ctx.Done()
			return outcome{}, ctx.Err()
		}
		var all []*visit
		for range mostAsking {
			_, x, err := s.begin(waits)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, x)
		}
		synctest.Wait()
		if asked != 1 {
			t.Errorf("%d answers are read at once", asked)
		}
		if _, _, err := s.begin(refused); !errors.Is(err, errBusy) {
			t.Errorf("one more than may wait: %v", err)
		}
		s.close()
		for _, x := range all {
			if !x.over() || x.err == nil {
				t.Error("somebody is asked still after the page has ended")
			}
		}
		if _, _, err := s.begin(refused); err == nil {
			t.Error("something is asked after the page has ended")
		}
	})
}

// TestVisitsEnd: a daemon that never answers is waited for no longer than it may take.
func TestVisitsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newVisits()
		defer s.close()
		began := time.Now()
		_, x, err := s.begin(func(ctx context.Context) (outcome, error) { <-ctx.Done(); return outcome{}, ctx.Err() })
		if err != nil {
			t.Fatal(err)
		}
		<-x.done
		if !errors.Is(x.err, context.DeadlineExceeded) || time.Since(began) != within {
			t.Errorf("after %v: %v", time.Since(began), x.err)
		}
	})
}
