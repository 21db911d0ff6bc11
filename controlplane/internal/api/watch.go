package api

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// Paces of a watch.
const (
	// watchPace is how long changes gather before the next look: a client is told states, not each write on the way.
	watchPace = 20 * time.Millisecond
	// watchSilence is how long a watch says nothing before a bookmark proves that it lives.
	watchSilence = 30 * time.Second
)

// watchRequest is what all watch requests have.
type watchRequest interface {
	GetFilter() string
	GetResourceVersion() string
}

// event is one message of a watch; that of a bookmark has no object.
type event[M proto.Message] struct {
	kind    apiv1.EventType
	message M
	version string
}

// watcher is one watch: what its client has been shown, and nothing else. However slow the client is, no more than one state is
// kept for it: what it has not taken yet is joined with what comes.
type watcher[M proto.Message] struct {
	c        *collection[M]
	selected func(M) bool
	send     func(event[M]) error
	seen     map[string]*object[M] // all objects as of the last look
	shown    map[string]bool       // those of them that the client knows
}

// watch sends what changes until ctx ends or the client goes. stopping ends it with the server: who watches comes back to the
// next one.
func watch[M proto.Message](ctx, stopping context.Context, c *collection[M], req watchRequest, wanted func(M) bool, send func(event[M]) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(stopping, cancel)()
	selected, err := selection(req.GetFilter(), wanted)
	if err != nil {
		return err
	}
	w := &watcher[M]{c: c, selected: selected, send: send, seen: map[string]*object[M]{}, shown: map[string]bool{}}
	err = w.run(ctx, req.GetResourceVersion())
	if err != nil && stopping.Err() != nil {
		return errStopping
	}
	return err
}

func (w *watcher[M]) run(ctx context.Context, from string) error {
	if err := w.begin(ctx, from); err != nil {
		return err
	}
	for first := true; ; first = false {
		state := w.c.now()
		told, err := w.tell(state)
		if err != nil {
			return err
		}
		if told || first {
			if err := w.bookmark(state.revision); err != nil {
				return err
			}
			if err := pause(ctx, watchPace); err != nil {
				return err
			}
		}
		if err := w.await(ctx, state.revision); err != nil {
			return err
		}
	}
}

// begin takes up the state that the client knows already.
func (w *watcher[M]) begin(ctx context.Context, from string) error {
	if from == "" {
		return nil
	}
	if err := w.c.store.AtLeast(ctx, "resource_version", from); err != nil {
		return err
	}
	revision, err := w.c.store.ParseVersion("resource_version", from)
	if err != nil {
		return err
	}
	known, err := w.c.at(ctx, revision)
	if err != nil {
		return err
	}
	for _, o := range known.objects {
		w.seen[o.name] = o
		w.shown[o.name] = w.selected(o.message)
	}
	return nil
}

// await waits until there is a later state. Now and then it says that it still waits.
func (w *watcher[M]) await(ctx context.Context, revision int64) error {
	for {
		wait, cancel := context.WithTimeout(ctx, watchSilence)
		err := w.c.store.WaitRevision(wait, revision+1)
		cancel()
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if err := w.bookmark(revision); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

func (w *watcher[M]) bookmark(revision int64) error {
	return w.send(event[M]{kind: apiv1.EventType_EVENT_TYPE_BOOKMARK, version: w.c.store.Version(revision)})
}

// tell sends what differs between what the client knows and a state.
func (w *watcher[M]) tell(state *snapshot[M]) (told bool, err error) {
	say := func(kind apiv1.EventType, o *object[M]) {
		if err == nil {
			told, err = true, w.send(event[M]{kind: kind, message: o.message})
		}
	}
	for name, was := range w.seen {
		is, ok := state.named[name]
		if ok && is.created == was.created {
			continue
		}
		if w.shown[name] {
			say(apiv1.EventType_EVENT_TYPE_DELETED, was)
		}
		delete(w.seen, name)
		delete(w.shown, name)
	}
	for _, is := range state.objects {
		was, known := w.seen[is.name]
		w.seen[is.name] = is
		if known && was.same(is) {
			continue
		}
		had, has := w.shown[is.name], w.selected(is.message)
		w.shown[is.name] = has
		switch {
		case has && had:
			say(apiv1.EventType_EVENT_TYPE_MODIFIED, is)
		case has:
			say(apiv1.EventType_EVENT_TYPE_ADDED, is)
		case had: // it does not match any more
			say(apiv1.EventType_EVENT_TYPE_DELETED, is)
		}
	}
	return told, err
}

// versionOf reads the resource_version that a change expects; empty expects nothing.
func versionOf(s *store.Store, version string) (int64, error) {
	if version == "" {
		return 0, nil
	}
	return s.ParseVersion("resource_version", version)
}
