package sonic

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// A wait looks again when it is told to, and now and then when it is not.
func TestAwait(t *testing.T) {
	for name, c := range map[string]struct {
		told    bool
		at      time.Duration // when what is waited for happens
		tells   bool
		atLeast time.Duration
		atMost  time.Duration
		most    int // looks
	}{
		"told at once":                {true, time.Second, true, time.Second, time.Second, 12},
		"told of nothing":             {true, 3 * time.Second, false, 3 * time.Second, 3*time.Second + toldLook, 20},
		"nobody tells":                {false, time.Second, false, time.Second, time.Second + blindLook, 20},
		"it is so from the beginning": {true, 0, false, 0, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				changes := newChanges()
				changes.told = c.told
				began := time.Now()
				if c.tells {
					time.AfterFunc(c.at, changes.happened)
				}
				looks := 0
				err := changes.await(t.Context(), time.Minute, func(context.Context) (string, error) {
					looks++
					if time.Since(began) < c.at {
						return "not yet", nil
					}
					return "", nil
				})
				if took := time.Since(began); err != nil || took < c.atLeast || took > c.atMost || looks > c.most {
					t.Errorf("it took %v and %d looks: %v", took, looks, err)
				}
			})
		})
	}
}

// A wait in vain ends in time, and says for what. Redis that does not answer is waited for, too.
func TestAwaitInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		err := newChanges().await(t.Context(), 5*time.Second, func(context.Context) (string, error) { return "the ASIC has it", nil })
		if want := "after 5s, the ASIC has it"; err == nil || err.Error() != want || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %v; want %q", err, time.Since(began), want)
		}
		err = newChanges().await(t.Context(), 5*time.Second, func(context.Context) (string, error) { return "", errors.New("connection refused") })
		if want := "after 5s, connection refused"; err == nil || err.Error() != want {
			t.Errorf("%v; want %q", err, want)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := newChanges().await(ctx, time.Minute, func(context.Context) (string, error) { return "x", nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("of a cancelled wait: %v", err)
		}
	})
}

// Whoever asks while a reading is under way gets the next: the one under way may have begun too early. All who ask then share that one.
func TestSharedReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		readings := 0
		s := newShared(func(context.Context) (int, error) {
			readings++
			n := readings
			time.Sleep(time.Second)
			return n, nil
		})
		got := make(chan int, 10)
		ask := func() {
			n, err := s.get(t.Context())
			if err != nil {
				t.Error(err)
			}
			got <- n
		}
		go ask()
		time.Sleep(time.Millisecond)
		for range 5 {
			go ask()
		}
		if first := <-got; first != 1 {
			t.Errorf("the first got reading %d", first)
		}
		for range 5 {
			if n := <-got; n != 2 {
				t.Errorf("a later one got reading %d", n)
			}
		}
	})
}
