package api

import (
	"context"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/pointsman/pointsman/controlplane/internal/store"
)

// object is a resource as callers see it. It is shared by all who look: nobody changes it.
type object[M proto.Message] struct {
	name    string // its name among those of its kind; the names' order is the lists'
	created int64  // tells it from an earlier one of the same name
	message M
}

// snapshot is all objects of a kind at one revision, in the lists' order.
type snapshot[M proto.Message] struct {
	revision int64
	objects  []*object[M]
	named    map[string]*object[M]
}

// collection shows one kind of resource: now, at a revision of the past, and one at a time. What has not changed between two
// looks is the same object, so that those who watch see at once what has. Safe for concurrent use.
type collection[M proto.Message] struct {
	store *store.Store
	// roots are all keys that what is shown is computed from.
	roots []string
	// show makes the objects of a kind from the store's data, in order.
	show func(d *store.Data) []*object[M]
	// one shows a single object.
	one func(d *store.Data, name string) (M, bool)

	mu   sync.Mutex
	last *snapshot[M]
	past *snapshot[M] // the last one that was asked for by revision: pages follow each other
}

// now is the present state, as far as this replica knows it.
func (c *collection[M]) now() *snapshot[M] {
	c.mu.Lock()
	defer c.mu.Unlock()
	var revision int64
	var objects []*object[M]
	c.store.Read(func(d *store.Data) {
		if revision = d.Revision; c.last == nil || c.last.revision != revision {
			objects = c.show(d)
		}
	})
	if c.last != nil && c.last.revision == revision {
		return c.last
	}
	c.last = newSnapshot(revision, objects, c.last)
	return c.last
}

// newSnapshot keeps the objects of before that have not changed.
func newSnapshot[M proto.Message](revision int64, objects []*object[M], before *snapshot[M]) *snapshot[M] {
	s := &snapshot[M]{revision: revision, objects: objects, named: make(map[string]*object[M], len(objects))}
	for i, o := range objects {
		if before != nil {
			if was, ok := before.named[o.name]; ok && was.same(o) {
				s.objects[i] = was
			}
		}
		s.named[o.name] = s.objects[i]
	}
	return s
}

func (o *object[M]) same(other *object[M]) bool {
	return o == other || o.created == other.created && proto.Equal(o.message, other.message)
}

// at is the state at a revision: read from etcd unless it is the present one.
func (c *collection[M]) at(ctx context.Context, revision int64) (*snapshot[M], error) {
	if now := c.now(); now.revision == revision {
		return now, nil
	}
	c.mu.Lock()
	past := c.past
	c.mu.Unlock()
	if past != nil && past.revision == revision {
		return past, nil
	}
	d, err := c.store.At(ctx, revision, c.roots...)
	if err != nil {
		return nil, err
	}
	past = newSnapshot(revision, c.show(d), nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.past = past
	return past, nil
}

// get answers a Get: the object, no older than a version, or else what the service says of one that is not there.
func (c *collection[M]) get(ctx context.Context, name, least string, absent func() error) (M, error) {
	m, ok := *new(M), false
	if err := c.store.AtLeast(ctx, "min_resource_version", least); err != nil {
		return m, err
	}
	c.store.Read(func(d *store.Data) { m, ok = c.one(d, name) })
	if ok {
		return m, nil
	}
	if err := absent(); err != nil {
		return m, err
	}
	return m, store.Refuse(store.NotFound, "there is no %q any more", name)
}

// changed is the answer to a call that changed an object: with its version if that is what the call made of it, which a call
// that is repeated later may find no more.
func (c *collection[M]) changed(name string, answer M, err error) (M, error) {
	if err != nil {
		return answer, err
	}
	shown, ok := *new(M), false
	c.store.Read(func(d *store.Data) { shown, ok = c.one(d, name) })
	if !ok {
		return answer, nil
	}
	bare := proto.Clone(shown).ProtoReflect()
	bare.Clear(bare.Descriptor().Fields().ByName("resource_version"))
	if !proto.Equal(bare.Interface(), answer) {
		return answer, nil
	}
	return shown, nil
}

// present is the answer to a call that changed an object of which much is computed: as it is shown now, with its version.
func (c *collection[M]) present(name string, answer M, err error) (M, error) {
	if err != nil {
		return answer, err
	}
	c.store.Read(func(d *store.Data) {
		if shown, ok := c.one(d, name); ok {
			answer = shown
		}
	})
	return answer, nil
}

// matching are the objects of a snapshot that a selection wants.
func (s *snapshot[M]) matching(wanted func(M) bool) []M {
	var out []M
	for _, o := range s.objects {
		if wanted(o.message) {
			out = append(out, o.message)
		}
	}
	return slices.Clip(out)
}
