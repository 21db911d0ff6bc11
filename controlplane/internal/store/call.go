package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	apiv1 "github.com/pointsman/pointsman/pkg/api/v1"
	"github.com/pointsman/pointsman/pkg/keys"
	"github.com/pointsman/pointsman/pkg/wire"
)

// Call is who asks for what.
type Call struct {
	Caller string
	Method string
	// RequestID makes the call idempotent; empty does not.
	RequestID string
	// RequestHash tells this request from another under the same id.
	RequestHash string
	// Reason is why, if the caller said so.
	Reason string
}

// key is where the answer to a call is kept.
func (c Call) key() string {
	sum := sha256.Sum256([]byte(c.Caller + "\x00" + c.Method + "\x00" + c.RequestID))
	return keys.Request(hex.EncodeToString(sum[:]))
}

// ErrRequestReused says that a request id was used for another request.
var ErrRequestReused = errors.New("request_id was used for another request; choose a new one")

// backoff between lost comparisons grows to this.
const maxBackoff = 50 * time.Millisecond

// Do decides and commits until it succeeds, fails for good, or ctx ends. The same call gets the same answer, kept in the
// transaction that made it true.
func Do[V any](ctx context.Context, s *Store, call Call, codec wire.Codec[V], decide func(ctx context.Context, t *Txn) (V, error)) (V, error) {
	var zero V
	for attempt := 0; ; attempt++ {
		t := s.Begin()
		answer, decideErr := decide(ctx, t)
		if decideErr != nil && !errors.Is(decideErr, ErrConflict) {
			// An earlier call with this id may be what stands in the way.
			if kept, found, err := recall(ctx, s, call, codec); found || err != nil {
				return kept, err
			}
			return zero, decideErr
		}
		if decideErr == nil {
			kept, done, err := finish(ctx, t, call, codec, answer)
			if done || err != nil {
				return kept, err
			}
		}
		select {
		case <-ctx.Done():
			return zero, fmt.Errorf("%w: %w", ErrConflict, ctx.Err())
		case <-time.After(min(time.Duration(attempt)*time.Millisecond, maxBackoff)):
		}
	}
}

// finish commits with the record of the request and the history. done is false if the comparisons were lost.
func finish[V any](ctx context.Context, t *Txn, call Call, codec wire.Codec[V], answer V) (kept V, done bool, err error) {
	var extra, elseGet []clientv3.Op
	if call.RequestID != "" {
		op, err := remember(ctx, t, call, codec, answer)
		if err != nil {
			return kept, false, err
		}
		extra = append(extra, op)
		elseGet = append(elseGet, clientv3.OpGet(call.key()))
		t.Absent(call.key())
	}
	if len(t.puts) > 0 {
		op, err := t.history(ctx, call)
		if err != nil {
			return kept, false, err
		}
		extra = append(extra, op)
	}
	response, err := t.commit(ctx, extra, elseGet)
	if errors.Is(err, ErrConflict) {
		if response != nil && len(elseGet) > 0 {
			if kvs := response.Responses[0].GetResponseRange().Kvs; len(kvs) > 0 {
				kept, err := replay(kvs[0].Value, call, codec)
				return kept, true, err
			}
		}
		return kept, false, nil
	}
	if err != nil {
		return kept, false, err
	}
	return answer, true, nil
}

func remember[V any](ctx context.Context, t *Txn, call Call, codec wire.Codec[V], answer V) (clientv3.Op, error) {
	text, err := codec.Encode(answer)
	if err != nil {
		return clientv3.Op{}, err
	}
	raw, err := wire.Marshal(&apiv1.RequestRecord{RequestHash: call.RequestHash, Answer: string(text)})
	if err != nil {
		return clientv3.Op{}, err
	}
	lease, err := t.store.leases.get(ctx, requestRest, requestSlot)
	if err != nil {
		return clientv3.Op{}, err
	}
	return clientv3.OpPut(call.key(), string(raw), clientv3.WithLease(lease)), nil
}

// recall looks for the kept answer to a call.
func recall[V any](ctx context.Context, s *Store, call Call, codec wire.Codec[V]) (kept V, found bool, err error) {
	if call.RequestID == "" {
		return kept, false, nil
	}
	answer, err := s.client.Get(ctx, call.key())
	if err != nil {
		return kept, false, fmt.Errorf("look up request: %w", err)
	}
	if len(answer.Kvs) == 0 {
		return kept, false, nil
	}
	kept, err = replay(answer.Kvs[0].Value, call, codec)
	return kept, true, err
}

func replay[V any](raw []byte, call Call, codec wire.Codec[V]) (V, error) {
	var zero V
	var record apiv1.RequestRecord
	if err := wire.Unmarshal(raw, &record); err != nil {
		return zero, err
	}
	if record.GetRequestHash() != call.RequestHash {
		return zero, ErrRequestReused
	}
	return codec.Decode([]byte(record.GetAnswer()))
}
