package sonic

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"golang.org/x/sync/errgroup"
)

// pollEvery is how often the databases are read where they tell of nothing. The ASIC's is left to the full pass then: it is large.
const pollEvery = 2 * time.Second

// Watch implements system.System: what changes in the kernel, and in the databases. A config reload and a restart of swss are seen by
// the rows that come and go, and by orchagent's word that it has its ports.
func (s *System) Watch(ctx context.Context, kick func(why string)) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return ended(ctx, s.System.Watch(ctx, kick)) })
	g.Go(func() error { return ended(ctx, s.watchDatabases(ctx, kick)) })
	if err := g.Wait(); !errors.Is(err, errEnded) {
		return err
	}
	return nil
}

var errEnded = errors.New("watching has ended")

// ended makes the end of one watch the end of both.
func ended(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return errEnded
	}
	return err
}

func (s *System) watchDatabases(ctx context.Context, kick func(why string)) error {
	pending := make(chan string, 1)
	told, done, err := s.dbs.listen(ctx, everything, func(database, key string) {
		select {
		case <-pending: // the last reason is the one worth telling
		default:
		}
		select {
		case pending <- database + " " + key:
		default:
		}
	})
	switch {
	case err != nil:
		return err
	case !told:
		s.log.Warn("SONiC's Redis tells of no changes (notify-keyspace-events); its databases are polled", "every", pollEvery)
		return s.poll(ctx, kick)
	}
	for {
		select {
		case why := <-pending:
			kick(why)
		case err := <-done:
			return err
		}
	}
}

// poll compares what the databases say with what they said before.
func (s *System) poll(ctx context.Context, kick func(why string)) error {
	before, err := s.fingerprint(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, err := s.fingerprint(ctx)
		if err != nil {
			return err
		}
		if now != before {
			kick("SONiC's databases")
		}
		before = now
	}
}

// fingerprint changes with the rows, with what is acknowledged of them, and with SONiC's readiness.
func (s *System) fingerprint(ctx context.Context) (uint64, error) {
	config, err := s.dbs.readConfig(ctx)
	if err != nil {
		return 0, err
	}
	state, err := s.dbs.readState(ctx, config)
	if err != nil {
		return 0, err
	}
	notReady := s.dbs.ready(ctx)
	var sum uint64
	add := func(k Key, r Row) {
		h := fnv.New64a()
		fmt.Fprintln(h, k, r)
		sum += h.Sum64() // rows come in no order
	}
	for k, r := range config {
		add(k, r)
	}
	for k, r := range state {
		add(k, r)
	}
	if notReady != nil {
		sum++
	}
	return sum, nil
}
