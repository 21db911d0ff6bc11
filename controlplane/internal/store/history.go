package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/types/known/timestamppb"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/wire"
)

// history adds the record of a change.
func (t *Txn) history(ctx context.Context, call Call) (clientv3.Op, error) {
	now := t.store.clock()
	record := &apiv1.Change{
		Caller: call.Caller, Method: call.Method, RequestId: call.RequestID, Reason: call.Reason, Time: timestamppb.New(now), Objects: t.changed(),
	}
	raw, err := wire.Marshal(record)
	if err != nil {
		return clientv3.Op{}, err
	}
	lease, err := t.store.leases.get(ctx, changeRest, changeSlot)
	if err != nil {
		return clientv3.Op{}, err
	}
	var tail [4]byte
	_, _ = rand.Read(tail[:]) // never fails (crypto/rand)
	id := ChangeID(now) + "-" + hex.EncodeToString(tail[:])
	return clientv3.OpPut(keys.Change(id), string(raw), clientv3.WithLease(lease)), nil
}

// changed are the objects that a transaction writes. Of what switches are told it is only the generations, since the rest follows
// from the objects; probes and receipts follow altogether.
func (t *Txn) changed() []*apiv1.ChangedObject {
	var out []*apiv1.ChangedObject
	for _, key := range t.order {
		before, after := t.before[key], t.puts[key].value
		switch {
		case strings.HasPrefix(key, keys.Receipts):
		case strings.HasPrefix(key, keys.Intents):
			if was, ok := t.store.told(key); ok {
				out = append(out, &apiv1.ChangedObject{Key: key, BeforeGeneration: Generation(was), AfterGeneration: Generation(after)})
			}
		default:
			out = append(out, &apiv1.ChangedObject{Key: key, Before: string(before), After: string(after)})
		}
	}
	return out
}

// told is what a switch is told at a key, as stored. ok says that this is the key of a port or of a configuration.
func (s *Store) told(key string) (raw []byte, ok bool) {
	s.Read(func(d *Data) {
		switch p := keys.Split(keys.Intents, key); {
		case len(p) == 2 && p[1] == "config":
			raw, ok = d.Configs[p[0]].Raw, true
		case len(p) == 3 && p[1] == "ports":
			raw, ok = d.Intents[Port{p[0], p[2]}].Raw, true
		}
	})
	return raw, ok
}

// Generation is that of an object as stored: 0 if it has none, or is not there.
func Generation(raw []byte) uint64 {
	var o struct {
		Generation uint64 `json:"generation,string"`
	}
	if len(raw) == 0 || json.Unmarshal(raw, &o) != nil {
		return 0
	}
	return o.Generation
}

// ChangeID is how the ids of changes of a moment begin: they sort by time.
func ChangeID(at time.Time) string { return fmt.Sprintf("%020d", at.UnixNano()) }

// ChangeTime is the moment of a change, from its id.
func ChangeTime(id string) (time.Time, error) {
	number, _, _ := strings.Cut(id, "-")
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || len(number) != 20 {
		return time.Time{}, fmt.Errorf("id of a change %q: it begins with no time", id)
	}
	return time.Unix(0, n), nil
}
