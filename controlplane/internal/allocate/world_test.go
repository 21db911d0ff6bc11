package allocate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pointsman/pointsman/controlplane/internal/etcdtest"
	"github.com/pointsman/pointsman/controlplane/internal/store"
	"github.com/pointsman/pointsman/pkg/keys"
)

// world is all that etcd holds, without history and without the fields that say when or how often.
func world(t *testing.T, st *store.Store) map[string]string {
	t.Helper()
	out := map[string]string{}
	for key, value := range etcdtest.All(t, st.Client(), keys.Prefix) {
		if strings.HasPrefix(key, keys.Requests) || strings.HasPrefix(key, keys.Changes) {
			continue
		}
		var message map[string]any
		if json.Unmarshal([]byte(value), &message) != nil {
			out[key] = value
			continue
		}
		steady, err := json.Marshal(strip(message))
		if err != nil {
			t.Fatal(err)
		}
		out[key] = string(steady)
	}
	return out
}

// transient are fields that a round of allocation and release may change.
var transient = []string{"generation", "appliedGeneration", "appliedTime", "receivedTime", "pendingRelease"}

func strip(message map[string]any) map[string]any {
	for _, field := range transient {
		delete(message, field)
	}
	return message
}

// differ says what is in one world and not in the other.
func differ(before, after map[string]string) error {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if after[key] != before[key] {
			lines = append(lines, fmt.Sprintf("%s was %s, is %q", key, before[key], after[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if _, ok := before[key]; !ok {
			lines = append(lines, fmt.Sprintf("%s is new: %s", key, after[key]))
		}
	}
	if len(lines) > 0 {
		return fmt.Errorf("%s", strings.Join(lines, "\n"))
	}
	return nil
}
