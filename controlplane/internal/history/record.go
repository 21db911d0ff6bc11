package history

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/pointsman/pointsman/controlplane/internal/store"
	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/keys"
)

// kinds are the roots of the API's resources and of what switches are told, and how their names begin. What else a change wrote is
// the control plane's own bookkeeping.
var kinds = map[string]string{
	keys.Networks: "networks/", keys.Allocations: "allocations/", keys.Switches: "switches/", keys.Machines: "machines/", keys.IPs: "ips/",
	keys.Intents: "switches/",
}

// record is a change as the API shows it.
func record(id string, c *apiv1.Change) *apiv1.ChangeRecord {
	out := &apiv1.ChangeRecord{
		Id: id, Time: c.GetTime(), Caller: c.GetCaller(), Method: c.GetMethod(), RequestId: c.GetRequestId(), Reason: c.GetReason(),
	}
	for _, o := range c.GetObjects() {
		if name := resource(o.GetKey()); name != "" {
			before, after := generations(o)
			out.Resources = append(out.Resources, &apiv1.ResourceChange{
				Resource: name, Type: became(o), Fields: fields(o.GetBefore(), o.GetAfter()), BeforeGeneration: before, AfterGeneration: after,
			})
		}
	}
	return out
}

// resource is how the API names what is stored at a key; empty for what it does not show.
func resource(key string) string {
	for root, kind := range kinds {
		if name, ok := strings.CutPrefix(key, root); ok {
			return kind + name
		}
	}
	return ""
}

// generations are those before and after, of what has them.
func generations(o *apiv1.ChangedObject) (before, after uint64) {
	return max(o.GetBeforeGeneration(), store.Generation([]byte(o.GetBefore()))), max(o.GetAfterGeneration(), store.Generation([]byte(o.GetAfter())))
}

func became(o *apiv1.ChangedObject) apiv1.EventType {
	switch {
	case o.GetAfter() == "" && o.GetAfterGeneration() == 0:
		return apiv1.EventType_EVENT_TYPE_DELETED
	case o.GetBefore() == "" && o.GetBeforeGeneration() == 0:
		return apiv1.EventType_EVENT_TYPE_ADDED
	default:
		return apiv1.EventType_EVENT_TYPE_MODIFIED
	}
}

// fields are what differs between two forms of an object, sorted. Values are stored in one form, so that equal ones have equal
// bytes.
func fields(before, after string) []*apiv1.FieldChange {
	was, is := parsed(before), parsed(after)
	all := maps.Clone(was)
	maps.Copy(all, is)
	var out []*apiv1.FieldChange
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if b, a := string(was[name]), string(is[name]); b != a {
			out = append(out, &apiv1.FieldChange{Field: name, Before: b, After: a})
		}
	}
	return out
}

// parsed are an object's fields; what is no object has none.
func parsed(raw string) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	if raw != "" {
		_ = json.Unmarshal([]byte(raw), &out)
	}
	return out
}
