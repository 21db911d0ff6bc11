package command

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
)

// told is an event as the reader of a watch shall see it.
type told struct {
	kind   apiv1.EventType
	object proto.Message
}

// ledger is what a watch has told so far. A watch that broke begins again at its last bookmark, or with everything: the ledger turns
// what comes then into what is new to the reader, so that nothing is told twice and nothing is left out.
type ledger struct {
	known map[string]proto.Message
	// listed are the objects of a listing that has not ended yet; nil is none.
	listed map[string]bool
}

func newLedger() *ledger { return &ledger{known: map[string]proto.Message{}} }

// relist says that what comes now, up to a bookmark, is everything that is there.
func (l *ledger) relist() { l.listed = map[string]bool{} }

// take enters an event.
func (l *ledger) take(kind apiv1.EventType, object proto.Message) []told {
	if kind == apiv1.EventType_EVENT_TYPE_BOOKMARK {
		return l.listingEnds()
	}
	name := nameOf(object)
	was, known := l.known[name]
	if kind == apiv1.EventType_EVENT_TYPE_DELETED {
		delete(l.known, name)
		if !known {
			return nil
		}
		return []told{{kind, object}}
	}
	l.known[name] = object
	if l.listed != nil {
		l.listed[name] = true
	}
	switch {
	case !known:
		return []told{{apiv1.EventType_EVENT_TYPE_ADDED, object}}
	case proto.Equal(was, object):
		return nil
	case !proto.Equal(created(was), created(object)): // it was deleted and made again meanwhile
		return []told{{apiv1.EventType_EVENT_TYPE_DELETED, was}, {apiv1.EventType_EVENT_TYPE_ADDED, object}}
	default:
		return []told{{apiv1.EventType_EVENT_TYPE_MODIFIED, object}}
	}
}

// listingEnds tells of the objects that a new listing does not have any more, as they were last.
func (l *ledger) listingEnds() []told {
	if l.listed == nil {
		return nil
	}
	var out []told
	for _, name := range slices.Sorted(maps.Keys(l.known)) {
		if !l.listed[name] {
			out = append(out, told{apiv1.EventType_EVENT_TYPE_DELETED, l.known[name]})
			delete(l.known, name)
		}
	}
	l.listed = nil
	return out
}

func created(m proto.Message) *timestamppb.Timestamp {
	c, _ := m.(interface{ GetCreateTime() *timestamppb.Timestamp })
	return c.GetCreateTime()
}

// nameOf tells objects of a kind apart. A machine that is only discovered has no id yet.
func nameOf(m proto.Message) string {
	switch m := m.(type) {
	case *apiv1.Network:
		return m.GetProject() + "/" + m.GetId()
	case *apiv1.Allocation:
		return m.GetProject() + "/" + m.GetId()
	case *apiv1.IP:
		return m.GetNetwork() + "/" + m.GetAddress()
	case *apiv1.Switch:
		return m.GetId()
	case *apiv1.Machine:
		if m.GetId() == "" {
			return "discovered/" + m.GetSystemUuid() + "/" + m.GetChassisMac()
		}
		return m.GetId()
	default:
		return ""
	}
}
