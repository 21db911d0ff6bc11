package intent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/connectivity"

	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/netmodel"
)

const (
	listTimeout = 5 * time.Second
	// recheck is how often the store is asked, beside the watch, whether it is still the one that is watched.
	recheck = 15 * time.Second
)

// Follower keeps the intent of one switch.
type Follower struct {
	sw, stateDir string
	client       *clientv3.Client
	log          *slog.Logger
	adoptions    chan chan string

	// Only Run touches these.
	last  last
	said  string // the reason of holding that was logged
	store *disk
}

// Open reads the last intent from stateDir. A file that cannot be read is set aside and said: the switch then does nothing until
// the store gives it an intent.
func Open(sw, stateDir string, client *clientv3.Client, log *slog.Logger) *Follower {
	l, err := load(stateDir)
	if err != nil {
		aside := path(stateDir) + ".unreadable"
		log.Error("the last intent is lost; set aside", "file", aside, "err", errors.Join(err, os.Rename(path(stateDir), aside)))
	}
	return &Follower{sw: sw, stateDir: stateDir, client: client, log: log, last: l, adoptions: make(chan chan string)}
}

// Read returns the last intent in a state directory, which an agent may be using.
func Read(stateDir string) (Snapshot, error) {
	l, err := load(stateDir)
	return l.snapshot(), err
}

func (l last) snapshot() Snapshot {
	return Snapshot{Intent: l.intent, Received: l.received, State: netmodel.AgentFollowing, FromDisk: true}
}

// Run calls emit with the intent from disk, if there is one, and then with every change, until ctx ends. emit must not block.
func (f *Follower) Run(ctx context.Context, emit func(Snapshot)) error {
	f.store = newDisk(f.stateDir, f.log)
	var wg sync.WaitGroup
	wg.Go(f.store.run)
	defer func() { f.store.close(); wg.Wait() }()
	if f.last.known() {
		emit(f.last.snapshot())
	}
	for ctx.Err() == nil {
		err := f.session(ctx, emit)
		if ctx.Err() != nil {
			break
		}
		f.log.Warn("following the store anew, with a full list", "err", err)
		f.pause(ctx, 200*time.Millisecond+rand.N(200*time.Millisecond))
	}
	return nil
}

// Knows tells whether there is an intent on disk to begin with. It is asked before Run.
func (f *Follower) Knows() bool { return f.last.known() }

// pause waits, and answers who wants to adopt in the meantime.
func (f *Follower) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case answer := <-f.adoptions:
			answer <- f.noteAdoption()
		}
	}
}

// session lists and then watches until the connection, the revision or the store is lost.
func (f *Follower) session(ctx context.Context, emit func(Snapshot)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m, err := f.list(ctx)
	if err != nil {
		return err
	}
	f.take(m, emit)
	// The client would resume a broken watch by itself at its old revision, and wait for ever if the store behind it is a new one.
	// So whatever breaks begins anew with a list.
	broken := make(chan error, 3)
	go f.awaitLoss(ctx, broken)
	go f.recheck(ctx, m.revision, broken)
	watch := f.client.Watch(clientv3.WithRequireLeader(ctx), m.prefix, clientv3.WithPrefix(), clientv3.WithRev(m.revision+1))
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-broken:
			return err
		case answer := <-f.adoptions:
			answer <- f.adopt(m, emit)
		case response, ok := <-watch:
			if !ok {
				return errors.New("watch intent: ended")
			}
			if err := response.Err(); err != nil { // compaction too
				return fmt.Errorf("watch intent: %w", err)
			}
			m.apply(response)
			f.take(m, emit)
		}
	}
}

func (f *Follower) list(ctx context.Context) (*mirror, error) {
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), listTimeout)
	defer cancel()
	m := newMirror(f.sw)
	response, err := f.client.Get(ctx, m.prefix, clientv3.WithPrefix())
	if err != nil {
		return nil, fmt.Errorf("list intent: %w", err)
	}
	m.revision = response.Header.Revision
	for _, kv := range response.Kvs {
		m.put(string(kv.Key), kv.Value)
	}
	return m, nil
}

func (m *mirror) apply(response clientv3.WatchResponse) {
	for _, e := range response.Events {
		if e.Type == clientv3.EventTypeDelete {
			m.delete(string(e.Kv.Key))
		} else {
			m.put(string(e.Kv.Key), e.Kv.Value)
		}
	}
	m.revision = max(m.revision, response.Header.Revision)
}

// Connected tells, without asking, whether there is a connection to etcd.
func (f *Follower) Connected() bool {
	return f.client.ActiveConnection().GetState() == connectivity.Ready
}

// awaitLoss reports when the connection to etcd is no longer up.
func (f *Follower) awaitLoss(ctx context.Context, broken chan<- error) {
	if f.client.ActiveConnection().WaitForStateChange(ctx, connectivity.Ready) {
		broken <- errors.New("watch intent: connection to etcd lost")
	}
}

// recheck reports a store that went back in time behind a connection that stayed.
func (f *Follower) recheck(ctx context.Context, listed int64, broken chan<- error) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(recheck + rand.N(recheck/4)):
		}
		revision, err := f.revision(ctx)
		if err == nil && revision < listed {
			err = fmt.Errorf("watch intent: the store went back from revision %d to %d", listed, revision)
		}
		if err != nil {
			broken <- err
			return
		}
		listed = revision
	}
}

func (f *Follower) revision(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	response, err := f.client.Get(ctx, keys.SwitchConfig(f.sw), clientv3.WithCountOnly())
	if err != nil {
		return 0, fmt.Errorf("ask etcd for its revision: %w", err)
	}
	return response.Header.Revision, nil
}

// take judges what the store holds, says what changed and keeps it.
func (f *Follower) take(m *mirror, emit func(Snapshot)) verdict {
	v := judge(f.sw, f.last, m, adoptionNoted(f.stateDir), time.Now())
	if v.holding != f.said && v.holding != "" {
		f.log.Warn("holding the last intent", "reason", v.holding)
	} else if v.holding != f.said {
		f.log.Info("following the store", "store", v.last.storeUUID, "revision", v.last.revision)
	}
	f.said = v.holding
	s := Snapshot{Intent: v.last.intent, Received: v.last.received, Problems: v.problems, State: netmodel.AgentFollowing}
	if v.holding != "" {
		s.State, s.Reason = netmodel.AgentHolding, v.holding
	}
	emit(s)
	if v.holding == "" {
		f.last = v.last
		f.store.save(v.last)
		f.forgetAdoption()
	}
	return v
}
