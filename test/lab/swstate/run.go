// Package swstate stands in for SONiC's swss and syncd on a switch of the lab: beside a real Redis it carries CONFIG_DB into the kernel, APPL_DB,
// STATE_DB, ASIC_DB and COUNTERS_DB, with delays, and with all that makes the real daemons dangerous to configure. What they do is decided in
// package core; here it is read, timed and carried out. The lab's nodes run it as a program (Main), tests in a guest (test/sonicguest).
package swstate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pointsman/pointsman/test/lab/swstate/core"
)

// Options say where the databases are, and how slow the daemons.
type Options struct {
	DatabaseConfig string // empty is DatabaseConfig
	// MaxDelay is the longest that a daemon takes to come to a change; most take far less. Zero is a fifth of a second.
	MaxDelay time.Duration
	// Retry is how long an idle daemon waits until it tries again what it could not do; zero is a second.
	Retry time.Duration
	Seed  uint64    // of the delays and object numbers
	Log   io.Writer // nil is none
	// Ready is called when the daemons have taken over CONFIG_DB; nil is not.
	Ready func()
}

// DiedError says that a daemon has ended, as the real one does in the same place.
type DiedError struct{ Daemon, Why string }

func (e *DiedError) Error() string { return fmt.Sprintf("%s dies: %s", e.Daemon, e.Why) }

// Run is swss and syncd until ctx ends, a daemon dies (DiedError), or Redis is gone. It waits until CONFIG_DB is complete, forgets all that an
// earlier run did, and does everything anew from CONFIG_DB.
func Run(ctx context.Context, o Options) error { return ended(ctx, run(ctx, o)) }

func run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &runner{options: o, databases: map[core.DB]database{}}
	defer r.close()
	if err := r.open(); err != nil {
		return err
	}
	events := r.databases[core.Config].PSubscribe(ctx, fmt.Sprintf("__keyspace@%d__:*", r.databases[core.Config].id))
	defer events.Close()
	if _, err := events.Receive(ctx); err != nil {
		return fmt.Errorf("subscribe to CONFIG_DB: %w", err)
	}
	changes := events.Channel(redis.WithChannelSize(1<<16), redis.WithChannelHealthCheckInterval(0))
	if err := r.awaitConfig(ctx, changes); err != nil {
		return err
	}
	if err := r.forget(ctx); err != nil {
		return err
	}
	rows, err := r.readConfig(ctx)
	if err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(o.Seed, 0))
	r.sw = core.New(time.Now(), rows, core.Options{Delay: delays(random, o.MaxDelay), Retry: o.Retry, FirstOID: uint64(random.Uint32())})
	if err := r.carryOut(ctx); err != nil {
		return err
	}
	links, err := watchLinks(ctx)
	if err != nil {
		return err
	}
	if o.Ready != nil {
		o.Ready()
	}
	return r.loop(ctx, changes, links)
}

// ended is what Run returns for an error: none if it was told to end, and was therefore disturbed.
func ended(ctx context.Context, err error) error {
	var died *DiedError
	if ctx.Err() != nil && !errors.As(err, &died) {
		return nil
	}
	return err
}

// delays draws from a distribution with a long tail: half of the delays are under an eighth of the longest.
func delays(random *rand.Rand, longest time.Duration) func(string, string) time.Duration {
	if longest == 0 {
		longest = time.Second / 5
	}
	return func(string, string) time.Duration {
		u := random.Float64()
		return time.Duration(u * u * u * float64(longest))
	}
}

type runner struct {
	options   Options
	databases map[core.DB]database
	sw        *core.Switch
}

func (r *runner) loop(ctx context.Context, changes <-chan *redis.Message, links <-chan linkEvent) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m, ok := <-changes:
			if !ok {
				return errors.New("CONFIG_DB's events have ended")
			}
			if err := r.configure(ctx, m); err != nil {
				return err
			}
		case e, ok := <-links:
			switch {
			case !ok:
				return errors.New("the kernel's events on links have ended")
			case e.gone:
				r.sw.DeleteLink(time.Now(), e.name)
			default:
				r.sw.SetLink(time.Now(), e.name, e.link)
			}
		case <-timer.C:
		}
		r.sw.Advance(time.Now())
		if err := r.carryOut(ctx); err != nil {
			return err
		}
		timer.Stop()
		if at, ok := r.sw.Next(); ok {
			timer.Reset(time.Until(at))
		}
	}
}

// configure hands an event on CONFIG_DB on, with what the row holds now.
func (r *runner) configure(ctx context.Context, m *redis.Message) error {
	db := r.databases[core.Config]
	_, text, _ := strings.Cut(m.Channel, "__:")
	key, ok := db.key(core.Config, text)
	if !ok {
		return nil
	}
	fields, err := db.HGetAll(ctx, text).Result()
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	row := core.Fields(maps.Clone(fields))
	if len(row) == 0 {
		row = nil
	}
	r.sw.Configure(time.Now(), key, m.Payload == "del", row)
	return nil
}

// carryOut does what the switch has done. What the kernel refuses is logged, as the daemons do; those of their commands whose failure ends them
// are known to core.
func (r *runner) carryOut(ctx context.Context) error {
	for _, effect := range r.sw.Effects() {
		switch e := effect.(type) {
		case core.SetRow:
			db := r.databases[e.Key.DB]
			if err := db.HSet(ctx, e.Key.Join(db.separator), map[string]string(e.Fields)).Err(); err != nil {
				return fmt.Errorf("write %s: %w", e.Key, err)
			}
		case core.DeleteRow:
			db := r.databases[e.Key.DB]
			if err := db.Del(ctx, e.Key.Join(db.separator)).Err(); err != nil {
				return fmt.Errorf("delete %s: %w", e.Key, err)
			}
		case core.Died:
			return &DiedError{e.Daemon, e.Why}
		case core.Logged:
			r.log(e.String())
		default:
			r.log(e.String())
			if _, err := change(e); err != nil {
				r.log(err.Error())
			}
		}
	}
	return nil
}

func (r *runner) log(text string) {
	if r.options.Log != nil {
		fmt.Fprintf(r.options.Log, "%s %s\n", time.Now().Format("15:04:05.000"), text)
	}
}
