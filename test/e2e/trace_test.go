package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/test/fabric"
	"github.com/pointsman/pointsman/test/lab"
)

// TestReleaseLeavesNoTrace: after a release kernel and FRR of both leaves, and etcd, are what they were before the allocation.
func TestReleaseLeavesNoTrace(t *testing.T) {
	onFabric(t, func(ctx context.Context, t *testing.T, f *fabric.Fabric) {
		leaves := []string{"leaf01", "leaf02"}
		network(ctx, t, f, "trace", "10.1.0.0/24", "fd01::/64")
		// The first allocation after boot may leave what stays for good, such as FRR's saved file; the second must leave nothing.
		first := allocate(ctx, t, f, "trace", "machine01")
		release(ctx, t, f, first)
		quiet(ctx, t, f)
		await(ctx, t, "the VRF is taken down", func(ctx context.Context) error { return noTenants(ctx, t, f) })
		for _, leaf := range leaves {
			await(ctx, t, leaf+" has tidied up", func(ctx context.Context) error { return idle(ctx, f, leaf) })
		}
		await(ctx, t, "all that is heard, or not, is told", func(ctx context.Context) error { return allHeard(ctx, t, f) })

		before := map[string][]string{}
		for _, leaf := range leaves {
			before[leaf] = switchState(ctx, t, f, leaf)
		}
		stored := storeState(ctx, t, f)
		a := allocate(ctx, t, f, "trace", "machine01")
		for _, leaf := range leaves {
			if slices.Equal(before[leaf], switchState(ctx, t, f, leaf)) {
				t.Errorf("the control: %s looks the same with an allocation", leaf)
			}
		}
		if equal(stored, storeState(ctx, t, f)) {
			t.Error("the control: etcd looks the same with an allocation")
		}
		release(ctx, t, f, a)
		quiet(ctx, t, f)

		for _, leaf := range leaves {
			await(ctx, t, leaf+" is as before", func(ctx context.Context) error {
				after := switchState(ctx, t, f, leaf)
				return differ(before[leaf], after)
			})
		}
		await(ctx, t, "etcd is as before", func(ctx context.Context) error {
			return differ(lines(stored), lines(storeState(ctx, t, f)))
		})
	})
}

// quiet waits until quarantined numbers are gone, so that two looks at etcd can be compared.
func quiet(ctx context.Context, t *testing.T, f *fabric.Fabric) {
	t.Helper()
	client := etcd(t, f)
	await(ctx, t, "quarantine ends", func(ctx context.Context) error {
		for _, prefix := range []string{"/pointsman/v1/ips/", "/pointsman/v1/pools/"} {
			got, err := client.Get(ctx, prefix, clientv3.WithPrefix())
			if err != nil {
				return err
			}
			for _, kv := range got.Kvs {
				if strings.Contains(strings.ToLower(string(kv.Value)), "quarantine") {
					return fmt.Errorf("%s is quarantined", kv.Key)
				}
			}
		}
		return nil
	})
}

func etcd(t *testing.T, f *fabric.Fabric) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: f.CP.Etcd, DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// transient are fields that say when or how often, not what.
var transient = []string{
	"generation", "appliedGeneration", "configGeneration", "revertedGeneration", "time", "appliedTime", "receivedTime", "establishedTime", "firstSeen",
	"since", "createTime", "updateTime", "lastResetReason",
}

// unstable are keys whose part in history is their purpose.
var unstable = []string{"/pointsman/v1/requests/", "/pointsman/v1/receipts/", "/pointsman/v1/changes/"}

// storeState is all that etcd holds, without what may differ after a release.
func storeState(ctx context.Context, t *testing.T, f *fabric.Fabric) map[string]string {
	t.Helper()
	got, err := etcd(t, f).Get(ctx, "/pointsman/v1/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, kv := range got.Kvs {
		key := string(kv.Key)
		if slices.ContainsFunc(unstable, func(p string) bool { return strings.HasPrefix(key, p) }) {
			continue
		}
		out[key] = steady(t, kv.Value)
	}
	return out
}

// allHeard looks for what each port of the leaves hears, which a port with nothing at its far end tells some time after the boot.
func allHeard(ctx context.Context, t *testing.T, f *fabric.Fabric) error {
	t.Helper()
	stored := storeState(ctx, t, f)
	for _, s := range f.Inventory.Switches {
		for _, p := range s.Ports {
			if key := keys.Discovery(s.Name, p.Name); s.Role == lab.RoleLeaf && stored[key] == "" {
				return fmt.Errorf("there is no %s", key)
			}
		}
	}
	return nil
}

// steady is a stored message without its transient fields.
func steady(t *testing.T, value []byte) string {
	t.Helper()
	var message any
	if json.Unmarshal(value, &message) != nil {
		return string(value)
	}
	text, err := json.Marshal(strip(message))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func strip(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			if slices.Contains(transient, name) {
				delete(v, name)
				continue
			}
			v[name] = strip(field)
		}
		return v
	case []any:
		for i := range v {
			v[i] = strip(v[i])
		}
		return v
	default:
		return v
	}
}

func lines(m map[string]string) []string {
	var out []string
	for k, v := range m {
		out = append(out, k+" = "+v)
	}
	slices.Sort(out)
	return out
}

func equal(a, b map[string]string) bool { return slices.Equal(lines(a), lines(b)) }

// differ says what one has and the other lacks.
func differ(before, after []string) error {
	gone, added := missing(before, after), missing(after, before)
	if len(gone) == 0 && len(added) == 0 {
		return nil
	}
	return fmt.Errorf("gone:\n  %s\nadded:\n  %s", strings.Join(gone, "\n  "), strings.Join(added, "\n  "))
}

// keeps prints what a network OS keeps beside kernel and FRR: SONiC's rows and file, and the file of Cumulus Linux.
var keeps = map[lab.OS]string{
	lab.SONiC: `redis-cli -n 4 eval "local out = {}
for _, key in ipairs(redis.call('keys', '*')) do
  if redis.call('type', key).ok == 'hash' then
    local row = redis.call('hgetall', key)
    for i = 1, #row, 2 do out[#out + 1] = key .. ' ' .. row[i] .. '=' .. row[i + 1] end
  end
end
return out" 0 | sed 's/^/row /'; sed 's/^/file /' /etc/sonic/config_db.json`,
	lab.Cumulus: "sed 's/^/file /' /etc/network/interfaces",
}

// switchState is all that kernel and FRR of a switch hold about its network, without counters, interface indexes and neighbour
// caches, and what its network OS keeps.
func switchState(ctx context.Context, t *testing.T, f *fabric.Fabric, name string) []string {
	t.Helper()
	// It is looked at to the end: who waits for a state wants to be told what differs, not that time was up while it was read.
	text := sh(context.WithoutCancel(ctx), t, f, name, `
ip -o -d link show | sed -E 's/^[0-9]+: //; s/@if[0-9]+//; s/(bridge_id|designated_[a-z]+|[a-z_]*timer|fdb_n_learned|gc_timer|tcn_timer|hello_timer) +[^ ]+//g; s/link-netnsid [0-9]+//' | sed 's/^/link /'
ip -o addr show | sed -E 's/^[0-9]+: //; s/valid_lft.*//' | sed 's/^/addr /'
bridge -o vlan show | sed 's/^/vlan /'
bridge fdb show | grep permanent | sed 's/^/fdb /'
ip rule show | sed 's/^/rule4 /'; ip -6 rule show | sed 's/^/rule6 /'
ip -o route show table all | sed -E 's/nhid [0-9]+ //; s/^/route4 /'
ip -6 -o route show table all | sed -E 's/nhid [0-9]+ //; s/expires [0-9]+sec//; s/^/route6 /'
vtysh -c 'show running-config' | sed 's/^/frr /'
vtysh -c 'show evpn vni' | sed 's/^/evpn /'
%s`, keeps[f.Switch(name).OS])
	var out []string
	context := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		// A line of FRR's configuration means what its context makes of it.
		if rest, ok := strings.CutPrefix(line, "frr "); ok {
			if !strings.HasPrefix(rest, " ") {
				context = rest
			}
			line = "frr " + context + " / " + rest
		}
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
