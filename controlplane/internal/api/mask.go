package api

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/pointsman/pointsman/controlplane/internal/store"
)

// masked checks which fields an update changes: an unknown field, and one that is for life or computed, is refused by its name.
func masked(mask *fieldmaskpb.FieldMask, of proto.Message, may ...string) (map[string]bool, error) {
	resource := of.ProtoReflect().Descriptor()
	out := map[string]bool{}
	for _, path := range mask.GetPaths() {
		name, _, _ := strings.Cut(path, ".")
		switch {
		case slices.Contains(may, path):
			out[path] = true
		case resource.Fields().ByName(protoreflect.Name(name)) == nil:
			return nil, store.Refuse(store.Invalid, "update_mask: %s has no field %q; %s can be changed", resource.Name(), path, strings.Join(may, ", "))
		default:
			return nil, store.Refuse(store.Invalid, "update_mask: %q of %s cannot be changed, only %s", path, resource.Name(), strings.Join(may, ", "))
		}
	}
	if len(out) == 0 {
		return nil, store.Refuse(store.Invalid, "update_mask: it names nothing to change; %s can be changed", strings.Join(may, ", "))
	}
	return out, nil
}

// given is a field's new value if the mask names it.
func given[V any](fields map[string]bool, name string, v V) *V {
	if !fields[name] {
		return nil
	}
	return &v
}
